import { fact, hex } from './schema.ts';

const OF_DEVICE = { dev: 'text' } as const;

interface OfDevice {
  readonly dev: string;
}

const device = ({ dev }: OfDevice): string => `vdev ${dev}`;
const onOff = (on: boolean): string => (on ? 'on' : 'off');
const macs = (bytes: Uint8Array): number => bytes.length / 6;

/** What a virtio network device does: QEMU's trace events of 7.2, and what it does not trace. */
export const VIRTIO_NET_EVENTS = {
  /** A driver has taken note that it is to announce itself. */
  virtio_net_handle_announce: fact({ ...OF_DEVICE, round: 'u' }, (e) => `${e.round}`),
  virtio_net_announce_notify: fact(OF_DEVICE, () => ''),
  /** A driver says that it tells everybody where it is. */
  'sim:virtio_net_announced': fact(OF_DEVICE, device),
  /**
   * A driver says how frames are to be spread: kinds of packets that have a hash (p1), pairs by the last bits of a hash
   * (table, of p2 words), a key (of p3), and a pair for all others.
   */
  virtio_net_rss_enable: fact(
    { ...OF_DEVICE, p1: 'u', p2: 'u', p3: 'u', otherwise: 'u', table: 'bytes', key: 'bytes' },
    (e) => `hashes 0x${hex(e.p1)}, table of ${e.p2}, key of ${e.p3}`,
  ),
  virtio_net_rss_disable: fact(OF_DEVICE, device),
  virtio_net_rss_error: fact(
    { ...OF_DEVICE, msg: 'text', value: 'u' },
    (e) => `${e.msg}, value 0x${hex(e.value).padStart(8, '0')}`,
  ),
  /** A command of the control queue is done. cls, command: VIRTIO_NET_CTRL_*; ack: 0, or 1 for one that is refused. */
  'sim:virtio_net_control': fact(
    { ...OF_DEVICE, cls: 'u', command: 'u', ack: 'u' },
    (e) => `${device(e)} class ${e.cls} command ${e.command} ack ${e.ack}`,
  ),
  /** Which frames a driver wants to have. mode: as the state calls it. */
  'sim:virtio_net_rx_mode': fact({ ...OF_DEVICE, mode: 'text', on: 'bool' }, (e) => {
    return `${device(e)} ${e.mode} ${onOff(e.on)}`;
  }),
  'sim:virtio_net_mac': fact({ ...OF_DEVICE, mac: 'text' }, (e) => `${device(e)} ${e.mac}`),
  /** The address in the configuration as a driver sees it now, or as it wrote it: QEMU keeps that apart. */
  'sim:virtio_net_config': fact({ ...OF_DEVICE, mac: 'text' }, (e) => `${device(e)} ${e.mac}`),
  /** Other addresses a driver wants frames of, 6 bytes each. `all`: it has more than a table holds, and gets all. */
  'sim:virtio_net_mac_table': fact(
    { ...OF_DEVICE, unicast: 'bytes', multicast: 'bytes', unicastAll: 'bool', multicastAll: 'bool' },
    (e) =>
      `${device(e)} unicast ${e.unicastAll ? 'all' : macs(e.unicast)} multicast ${
        e.multicastAll ? 'all' : macs(e.multicast)
      }`,
  ),
  'sim:virtio_net_vlan': fact({ ...OF_DEVICE, vid: 'u', on: 'bool' }, (e) => `${device(e)} ${e.vid} ${onOff(e.on)}`),
  /** How many pairs of queues a driver uses. */
  'sim:virtio_net_queue_pairs': fact({ ...OF_DEVICE, pairs: 'u' }, (e) => `${device(e)} ${e.pairs}`),
  'sim:virtio_net_link': fact({ ...OF_DEVICE, up: 'bool' }, (e) => `${device(e)} ${e.up ? 'up' : 'down'}`),
  /** The kernel serves the first so many of its queues, or does so no more: QEMU's vhost_started. */
  'sim:virtio_net_vhost': fact({ ...OF_DEVICE, on: 'bool', queues: 'u' }, (e) => {
    return `${device(e)} ${onOff(e.on)}${e.on ? ` queues ${e.queues}` : ''}`;
  }),
  /** Frames wait for the device to look at them: QEMU's tx_waiting. */
  'sim:virtio_net_tx_waiting': fact({ ...OF_DEVICE, pair: 'u', on: 'bool' }, (e) => {
    return `${device(e)} pair ${e.pair} ${onOff(e.on)}`;
  }),
  /** A frame waits in the peer's queue: the driver has its element back once it has been taken. */
  'sim:virtio_net_tx_queued': fact({ ...OF_DEVICE, queue: 'u', elem: 'u' }, (e) => {
    return `${device(e)} vq ${e.queue} elem ${e.elem}`;
  }),
  /** The first of those of a queue has been taken. */
  'sim:virtio_net_tx_taken': fact({ ...OF_DEVICE, queue: 'u' }, (e) => `${device(e)} vq ${e.queue}`),
} as const;
