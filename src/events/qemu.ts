import { fact, hex } from './schema.ts';
import { padded } from './symbols.ts';

/** `%p` of a C pointer. Our `arg` and `mr` are small stable numbers, not addresses. */
const pointer = (value: number): string => (value === 0 ? '(nil)' : `0x${hex(value)}`);

const PCI_CONFIG = { dev: 'text', bus: 'u', slot: 'u', func: 'u', offs: 'u', val: 'u' } as const;
const PCI_MAPPING = { dev: 'text', bus: 'u', slot: 'u', func: 'u', bar: 'u', addr: 'u', size: 'u' } as const;

interface PciFunction {
  readonly dev: string;
  readonly bus: number;
  readonly slot: number;
  readonly func: number;
}

const bdf = (e: PciFunction): string => `${e.dev} ${padded(e.bus, 2)}:${padded(e.slot, 2)}.${hex(e.func)}`;

interface PciMapping extends PciFunction {
  readonly bar: number;
  readonly addr: number;
  readonly size: number;
}

const mapping = (e: PciMapping): string => `${bdf(e)} ${e.bar},0x${hex(e.addr)}+0x${hex(e.size)}`;

const MEMORY_REGION_OPS = { cpu_index: 'i', mr: 'u', addr: 'u', value: 'u', size: 'u', name: 'text' } as const;

interface MemoryRegionOps {
  readonly cpu_index: number;
  readonly mr: number;
  readonly addr: number;
  readonly value: number;
  readonly size: number;
  readonly name: string;
}

const memoryRegionOps = (e: MemoryRegionOps): string =>
  `cpu ${e.cpu_index} mr ${pointer(e.mr)} addr 0x${hex(e.addr)} value 0x${hex(e.value)} ` +
  `size ${e.size} name '${e.name}'`;

const IOEVENTFD = { fd: 'i', addr: 'u', val: 'u', assign: 'bool', size: 'u', datamatch: 'bool' } as const;

interface Ioeventfd {
  readonly fd: number;
  readonly addr: number;
  readonly val: number;
  readonly assign: boolean;
  readonly size: number;
  readonly datamatch: boolean;
}

const ioeventfd = (e: Ioeventfd): string =>
  `fd: ${e.fd} @0x${hex(e.addr)} val=0x${hex(e.val)} assign: ${Number(e.assign)} size: ${e.size} ` +
  `match: ${Number(e.datamatch)}`;

/** QEMU's trace events (names, arguments and text of 7.2). */
export const QEMU_EVENTS = {
  kvm_ioctl: fact({ type: 'u', arg: 'u' }, (e) => `type 0x${hex(e.type)}, arg ${pointer(e.arg)}`),
  kvm_vm_ioctl: fact({ type: 'u', arg: 'u' }, (e) => `type 0x${hex(e.type)}, arg ${pointer(e.arg)}`),
  kvm_vcpu_ioctl: fact(
    { cpu_index: 'i', type: 'u', arg: 'u' },
    (e) => `cpu_index ${e.cpu_index}, type 0x${hex(e.type)}, arg ${pointer(e.arg)}`,
  ),
  kvm_run_exit: fact({ cpu_index: 'i', reason: 'u' }, (e) => `cpu_index ${e.cpu_index}, reason ${e.reason}`),
  kvm_init_vcpu: fact({ index: 'i', id: 'u' }, (e) => `index: ${e.index} id: ${e.id}`),
  kvm_set_user_memory: fact(
    { slot: 'u', flags: 'u', guest_phys_addr: 'u', memory_size: 'u', userspace_addr: 'u', ret: 'i' },
    (e) =>
      `Slot#${e.slot} flags=0x${hex(e.flags)} gpa=0x${hex(e.guest_phys_addr)} size=0x${hex(e.memory_size)} ` +
      `ua=0x${hex(e.userspace_addr)} ret=${e.ret}`,
  ),
  kvm_irqchip_commit_routes: fact({}, () => ''),
  kvm_irqchip_add_msi_route: fact(
    { name: 'text', vector: 'u', virq: 'u' },
    (e) => `dev ${e.name} vector ${e.vector} virq ${e.virq}`,
  ),
  kvm_irqchip_update_msi_route: fact({ virq: 'u' }, (e) => `Updating MSI route virq=${e.virq}`),
  kvm_irqchip_release_virq: fact({ virq: 'u' }, (e) => `virq ${e.virq}`),
  kvm_set_ioeventfd_mmio: fact(IOEVENTFD, ioeventfd),
  kvm_set_ioeventfd_pio: fact(IOEVENTFD, ioeventfd),
  memory_region_ops_read: fact(MEMORY_REGION_OPS, memoryRegionOps),
  memory_region_ops_write: fact(MEMORY_REGION_OPS, memoryRegionOps),
  pci_cfg_read: fact(PCI_CONFIG, (e) => `${bdf(e)} @0x${hex(e.offs)} -> 0x${hex(e.val)}`),
  /** Ours: len, the bytes written. */
  pci_cfg_write: fact({ ...PCI_CONFIG, len: 'u' }, (e) => `${bdf(e)} @0x${hex(e.offs)} <- 0x${hex(e.val)}`),
  pci_update_mappings_add: fact(PCI_MAPPING, mapping),
  pci_update_mappings_del: fact(PCI_MAPPING, mapping),
} as const;
