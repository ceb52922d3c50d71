import { fact, hex } from './schema.ts';
import { padded } from './symbols.ts';

/** `%p` of a C pointer. Our `arg`, `vdev`, `vq`... are small stable numbers, not addresses. */
const pointer = (value: number): string => (value === 0 ? '(nil)' : `0x${hex(value)}`);

const PORT_SIZES: Readonly<Record<number, string>> = { 1: 'b', 2: 'w', 4: 'l' };

const portAccess = (e: { readonly addr: number; readonly size: number; readonly val: number }): string =>
  `addr 0x${hex(e.addr)}(${PORT_SIZES[e.size] ?? '?'}) value ${e.val}`;

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

const BLOCK_REQUEST = { vdev: 'u', req: 'u', sector: 'u', nsectors: 'u' } as const;

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
    { name: 'text', vector: 'i', virq: 'i' },
    (e) => `dev ${e.name} vector ${e.vector} virq ${e.virq}`,
  ),
  kvm_irqchip_update_msi_route: fact({ virq: 'i' }, (e) => `Updating MSI route virq=${e.virq}`),
  kvm_irqchip_release_virq: fact({ virq: 'i' }, (e) => `virq ${e.virq}`),
  kvm_set_ioeventfd_mmio: fact(IOEVENTFD, ioeventfd),
  kvm_set_ioeventfd_pio: fact(IOEVENTFD, ioeventfd),
  kvm_clear_dirty_log: fact(
    { slot: 'u', start: 'u', size: 'u' },
    (e) => `slot#${e.slot} start 0x${hex(e.start)} size 0x${hex(e.size)}`,
  ),
  kvm_dirty_ring_full: fact({ id: 'i' }, (e) => `vcpu ${e.id}`),
  kvm_dirty_ring_page: fact(
    { vcpu: 'i', slot: 'u', offset: 'u' },
    (e) => `vcpu ${e.vcpu} fetch ${e.slot} offset 0x${hex(e.offset)}`,
  ),
  kvm_dirty_ring_reap: fact({ count: 'u', t: 'i' }, (e) => `reaped ${e.count} pages (took ${e.t} us)`),
  kvm_dirty_ring_flush: fact({ finished: 'i' }, (e) => `${e.finished}`),
  memory_region_ops_read: fact(MEMORY_REGION_OPS, memoryRegionOps),
  memory_region_ops_write: fact(MEMORY_REGION_OPS, memoryRegionOps),
  cpu_in: fact({ addr: 'u', size: 'u', val: 'u' }, portAccess),
  cpu_out: fact({ addr: 'u', size: 'u', val: 'u' }, portAccess),
  pci_cfg_read: fact(PCI_CONFIG, (e) => `${bdf(e)} @0x${hex(e.offs)} -> 0x${hex(e.val)}`),
  /** Ours: len, the bytes written. */
  pci_cfg_write: fact({ ...PCI_CONFIG, len: 'u' }, (e) => `${bdf(e)} @0x${hex(e.offs)} <- 0x${hex(e.val)}`),
  pci_update_mappings_add: fact(PCI_MAPPING, mapping),
  pci_update_mappings_del: fact(PCI_MAPPING, mapping),
  msix_write_config: fact(
    { name: 'text', enabled: 'bool', masked: 'bool' },
    (e) => `dev ${e.name} enabled ${Number(e.enabled)} masked ${Number(e.masked)}`,
  ),
  virtio_set_status: fact({ vdev: 'u', val: 'u' }, (e) => `vdev ${pointer(e.vdev)} val ${e.val}`),
  virtio_queue_notify: fact(
    { vdev: 'u', n: 'i', vq: 'u' },
    (e) => `vdev ${pointer(e.vdev)} n ${e.n} vq ${pointer(e.vq)}`,
  ),
  virtqueue_alloc_element: fact(
    { elem: 'u', sz: 'u', in_num: 'u', out_num: 'u' },
    (e) => `elem ${pointer(e.elem)} size ${e.sz} in_num ${e.in_num} out_num ${e.out_num}`,
  ),
  virtqueue_pop: fact(
    { vq: 'u', elem: 'u', in_num: 'u', out_num: 'u' },
    (e) => `vq ${pointer(e.vq)} elem ${pointer(e.elem)} in_num ${e.in_num} out_num ${e.out_num}`,
  ),
  virtqueue_fill: fact(
    { vq: 'u', elem: 'u', len: 'u', idx: 'u' },
    (e) => `vq ${pointer(e.vq)} elem ${pointer(e.elem)} len ${e.len} idx ${e.idx}`,
  ),
  virtqueue_flush: fact({ vq: 'u', count: 'u' }, (e) => `vq ${pointer(e.vq)} count ${e.count}`),
  virtio_notify: fact({ vdev: 'u', vq: 'u' }, (e) => `vdev ${pointer(e.vdev)} vq ${pointer(e.vq)}`),
  virtio_notify_irqfd: fact({ vdev: 'u', vq: 'u' }, (e) => `vdev ${pointer(e.vdev)} vq ${pointer(e.vq)}`),
  virtio_pci_notify: fact({ vector: 'u' }, (e) => `virtio_pci_notify vec 0x${hex(e.vector)}`),
  virtio_pci_notify_write: fact(
    { addr: 'u', val: 'u', size: 'u' },
    (e) => `0x${hex(e.addr)} = 0x${hex(e.val)} (${e.size})`,
  ),
  virtio_pci_notify_write_pio: fact(
    { addr: 'u', val: 'u', size: 'u' },
    (e) => `0x${hex(e.addr)} = 0x${hex(e.val)} (${e.size})`,
  ),
  virtio_blk_handle_read: fact(
    BLOCK_REQUEST,
    (e) => `vdev ${pointer(e.vdev)} req ${pointer(e.req)} sector ${e.sector} nsectors ${e.nsectors}`,
  ),
  virtio_blk_handle_write: fact(
    BLOCK_REQUEST,
    (e) => `vdev ${pointer(e.vdev)} req ${pointer(e.req)} sector ${e.sector} nsectors ${e.nsectors}`,
  ),
  virtio_blk_submit_multireq: fact(
    { vdev: 'u', mrb: 'u', start: 'i', num_reqs: 'i', offset: 'u', size: 'u', is_write: 'bool' },
    (e) =>
      `vdev ${pointer(e.vdev)} mrb ${pointer(e.mrb)} start ${e.start} num_reqs ${e.num_reqs} offset ${e.offset} ` +
      `size ${e.size} is_write ${Number(e.is_write)}`,
  ),
  virtio_blk_rw_complete: fact(
    { vdev: 'u', req: 'u', ret: 'i' },
    (e) => `vdev ${pointer(e.vdev)} req ${pointer(e.req)} ret ${e.ret}`,
  ),
  virtio_blk_req_complete: fact(
    { vdev: 'u', req: 'u', status: 'i' },
    (e) => `vdev ${pointer(e.vdev)} req ${pointer(e.req)} status ${e.status}`,
  ),
  virtio_blk_data_plane_start: fact({ s: 'u' }, (e) => `dataplane ${pointer(e.s)}`),
  virtio_blk_data_plane_stop: fact({ s: 'u' }, (e) => `dataplane ${pointer(e.s)}`),
  e1000_receiver_overrun: fact(
    { s: 'u', rdh: 'u', rdt: 'u' },
    (e) => `Receiver overrun: s->RDH=${e.rdh} s->RDT=${e.rdt}`,
  ),
  vhost_commit: fact(
    { started: 'bool', changed: 'bool' },
    (e) => `Started: ${Number(e.started)} Changed: ${Number(e.changed)}`,
  ),
  vhost_dev_start: fact(
    { dev: 'u', name: 'text', vrings: 'bool' },
    (e) => `${pointer(e.dev)}:${e.name} vrings:${Number(e.vrings)}`,
  ),
  vhost_dev_stop: fact(
    { dev: 'u', name: 'text', vrings: 'bool' },
    (e) => `${pointer(e.dev)}:${e.name} vrings:${Number(e.vrings)}`,
  ),
} as const;
