import type { VIRTIO_NET_EVENTS } from '../../events/virtio-net.ts';
import { deviceFact } from '../../vmm/evolve/devices.ts';
import { changes, type Rows, tells, vmm } from '../row.ts';

const OF_ITS_DEVICE = ({ dev }: { readonly dev: string }): string => dev;

export const VIRTIO_NET_ROWS: Rows<keyof typeof VIRTIO_NET_EVENTS> = {
  virtio_net_handle_announce: tells,
  virtio_net_rss_enable: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtio_net_rss_disable: changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  virtio_net_rss_error: tells,
  'sim:virtio_net_control': tells,
  'sim:virtio_net_rx_mode': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_mac': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_config': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_mac_table': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_vlan': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_queue_pairs': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_link': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_tx_waiting': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_tx_queued': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
  'sim:virtio_net_tx_taken': changes(['devices'], vmm(deviceFact(OF_ITS_DEVICE))),
};
