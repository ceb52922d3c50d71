import type { VIRTIO_EVENTS } from '../../events/virtio.ts';
import type { VIRTIO_BLK_EVENTS } from '../../events/virtio-blk.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const VIRTIO_ROWS: Rows<keyof typeof VIRTIO_EVENTS> = {
  virtio_set_status: ofItsDevice(),
  virtio_queue_notify: tells,
  virtqueue_pop: ofItsDevice(),
  virtqueue_fill: ofItsDevice(),
  'sim:virtqueue_unpop': ofItsDevice(),
  'sim:virtqueue_detach': ofItsDevice(),
  'sim:virtqueue_restored': ofItsDevice(),
  'sim:virtqueue_notification': ofItsDevice(),
  virtqueue_flush: ofItsDevice(),
  virtio_notify: ofItsDevice(),
  virtio_notify_irqfd: ofItsDevice(),
  'sim:virtio_notify_suppressed': ofItsDevice(),
  'sim:virtio_features': ofItsDevice(),
  'sim:virtio_started': ofItsDevice(),
  'sim:virtio_reset': ofItsDevice(),
  'sim:virtio_config_changed': ofItsDevice(),
  'sim:virtio_error': ofItsDevice(),
  'sim:virtio_window': ofItsDevice(),
};

export const VIRTIO_BLK_ROWS: Rows<keyof typeof VIRTIO_BLK_EVENTS> = {
  virtio_blk_handle_read: tells,
  virtio_blk_handle_write: tells,
  virtio_blk_rw_complete: tells,
  virtio_blk_req_complete: tells,
  'sim:virtio_blk_write_cache': ofItsDevice(),
};
