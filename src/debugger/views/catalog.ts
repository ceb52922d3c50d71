import { BLOCK } from './block.ts';
import { CALLERS } from './callers.ts';
import { DEVICE_TREE } from './device-tree.ts';
import { DIRTY_PAGES, DIRTY_RATE } from './dirty.ts';
import { DISASSEMBLY } from './disassembly.ts';
import { EPT } from './ept.ts';
import { LAPIC } from './lapic.ts';
import { MEMORY, PHYSICAL_MEMORY } from './memory.ts';
import { MEMORY_TREE } from './memory-tree.ts';
import { MSIX } from './msix.ts';
import { BRIDGES } from './bridges.ts';
import { NET_QUEUES, NETWORK } from './network.ts';
import { PCI_FUNCTIONS } from './pci.ts';
import { PIC } from './pic.ts';
import { REGISTERS } from './registers.ts';
import { TRANSLATION } from './translation.ts';
import { VHOSTS } from './vhost.ts';
import type { View } from './view.ts';
import { VIRTIO_LIST } from './virtio-list.ts';
import { VIRTQUEUES } from './virtqueues.ts';
import { VMCS } from './vmcs.ts';

/** Every view, by name: what the prompt, gdb's monitor and a run's monitor can show. To add one, add its line. */
export const VIEWS: Readonly<Record<string, View>> = {
  regs: REGISTERS,
  disas: DISASSEMBLY,
  x: MEMORY,
  xp: PHYSICAL_MEMORY,
  bt: CALLERS,
  translate: TRANSLATION,
  vmcs: VMCS,
  ept: EPT,
  lapic: LAPIC,
  pic: PIC,
  mtree: MEMORY_TREE,
  qtree: DEVICE_TREE,
  pci: PCI_FUNCTIONS,
  msix: MSIX,
  block: BLOCK,
  network: NETWORK,
  netq: NET_QUEUES,
  bridge: BRIDGES,
  vhost: VHOSTS,
  virtio: VIRTIO_LIST,
  virtq: VIRTQUEUES,
  dirty: DIRTY_PAGES,
  dirtyrate: DIRTY_RATE,
};
