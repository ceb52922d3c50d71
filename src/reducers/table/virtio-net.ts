import type { VIRTIO_NET_EVENTS } from '../../events/virtio-net.ts';
import type { Rows } from '../row.ts';

export const VIRTIO_NET_ROWS: Rows<keyof typeof VIRTIO_NET_EVENTS> = {};
