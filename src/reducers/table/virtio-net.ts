import type { VIRTIO_NET_EVENTS } from '../../events/virtio-net.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const VIRTIO_NET_ROWS: Rows<keyof typeof VIRTIO_NET_EVENTS> = {
  virtio_net_handle_announce: tells,
  virtio_net_announce_notify: ofItsDevice(),
  'sim:virtio_net_announced': ofItsDevice(),
  virtio_net_rss_enable: ofItsDevice(),
  virtio_net_rss_disable: ofItsDevice(),
  virtio_net_rss_error: tells,
  'sim:virtio_net_control': tells,
  'sim:virtio_net_rx_mode': ofItsDevice(),
  'sim:virtio_net_mac': ofItsDevice(),
  'sim:virtio_net_config': ofItsDevice(),
  'sim:virtio_net_mac_table': ofItsDevice(),
  'sim:virtio_net_vlan': ofItsDevice(),
  'sim:virtio_net_queue_pairs': ofItsDevice(),
  'sim:virtio_net_link': ofItsDevice(),
  'sim:virtio_net_tx_waiting': ofItsDevice(),
  'sim:virtio_net_tx_queued': ofItsDevice(),
  'sim:virtio_net_vhost': ofItsDevice(),
  'sim:virtio_net_tx_taken': ofItsDevice(),
};
