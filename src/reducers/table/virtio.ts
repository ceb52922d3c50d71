import type { VIRTIO_EVENTS } from '../../events/virtio.ts';
import type { VIRTIO_BLK_EVENTS } from '../../events/virtio-blk.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const VIRTIO_ROWS: Rows<keyof typeof VIRTIO_EVENTS> = {
  virtio_set_status: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtio_queue_notify: tells,
  virtqueue_pop: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtqueue_fill: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtqueue_unpop': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtqueue_detach': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtqueue_notification': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtqueue_flush: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtio_notify: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtio_notify_irqfd: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_notify_suppressed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_features': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_started': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_reset': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_config_changed': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_error': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_window': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};

export const VIRTIO_BLK_ROWS: Rows<keyof typeof VIRTIO_BLK_EVENTS> = {
  virtio_blk_handle_read: tells,
  virtio_blk_handle_write: tells,
  virtio_blk_rw_complete: tells,
  virtio_blk_req_complete: tells,
  'sim:virtio_blk_write_cache': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};
