/** What facts do to a virtio network device, beside what they do to all virtio devices. */
import type { Draft } from '../../base/draft.ts';
import { latin1 } from '../../base/bytes.ts';
import type { DeviceReducer, FactReducers } from '../device.ts';
import { hasFeature } from '../virtio/index.ts';
import { macFrom } from './mac.ts';
import { FEATURE, MAC_BYTES } from './registers.ts';
import { ALL_VLANS, type NetFunctionState, netResetValues, NO_VLANS, type RxMode } from './state.ts';

type Net = Draft<NetFunctionState>;

const FILTER_FACTS: FactReducers<NetFunctionState> = {
  'sim:virtio_net_rx_mode'(net, { mode, on }) {
    const others = net.modes.filter((each) => each !== mode);
    net.modes = on ? [...others, mode as RxMode] : others;
  },
  'sim:virtio_net_mac'(net, { mac }) {
    net.mac = macFrom(mac) ?? net.mac;
  },
  'sim:virtio_net_config'(net, { mac }) {
    net.shown = macFrom(mac) ?? net.shown;
  },
  'sim:virtio_net_mac_table'(net, { unicast, multicast, unicastAll, multicastAll }) {
    Object.assign(net, { unicast: macsOf(unicast), multicast: macsOf(multicast), unicastAll, multicastAll });
  },
  'sim:virtio_net_vlan'(net, { vid, on }) {
    const at = vid >> 3;
    const bits = net.vlans.charCodeAt(at);
    const now = on ? bits | (1 << (vid & 7)) : bits & ~(1 << (vid & 7));
    net.vlans = net.vlans.slice(0, at) + String.fromCharCode(now) + net.vlans.slice(at + 1);
  },
  virtio_net_rss_enable(net, { p1: types, otherwise, table, key }) {
    net.rss = { types, otherwise, table: wordsOf(table), key: latin1(key) };
  },
  virtio_net_rss_disable(net) {
    net.rss = undefined;
  },
  'sim:virtio_net_queue_pairs'(net, { pairs }) {
    net.pairs = pairs;
  },
};

const SENDING_FACTS: FactReducers<NetFunctionState> = {
  'sim:virtio_net_tx_waiting'(net, { pair, on }) {
    const others = net.waiting.filter((each) => each !== pair);
    net.waiting = on ? [...others, pair] : others;
  },
  'sim:virtio_net_tx_queued'(net, { queue, elem }) {
    net.sending.push({ queue, elem });
  },
  'sim:virtio_net_tx_taken'(net, { queue }) {
    const at = net.sending.findIndex((each) => each.queue === queue);
    if (at >= 0) net.sending.splice(at, 1);
  },
};

export const NET_REDUCER: DeviceReducer<NetFunctionState> = {
  reset,
  facts: {
    'sim:virtio_reset': reset,
    'sim:virtio_features'(net) {
      net.vlans = hasFeature(net, FEATURE.controlVlan) ? NO_VLANS : ALL_VLANS;
    },
    virtqueue_fill(net, { elem }) {
      net.sending = net.sending.map((each) => (each.elem === elem ? { ...each, elem: undefined } : each));
    },
    'sim:virtio_net_link'(net, { up }) {
      net.isLinkUp = up;
    },
    'sim:virtio_net_vhost'(net, { on, queues }) {
      if (on) net.offloaded = queues;
      else delete net.offloaded;
    },
    virtio_net_announce_notify(net) {
      net.isAnnouncing = true;
    },
    'sim:virtio_net_announced'(net) {
      net.isAnnouncing = false;
    },
    ...FILTER_FACTS,
    ...SENDING_FACTS,
  },
};

/** What waited for the peer is gone. */
function reset(net: Net): void {
  Object.assign(net, netResetValues, { sending: [] });
}

/** Words, little-endian. */
const wordsOf = (bytes: Uint8Array): number[] =>
  Array.from({ length: bytes.length / 2 }, (_, at) => bytes[2 * at]! | (bytes[2 * at + 1]! << 8));

const macsOf = (bytes: Uint8Array): string[] =>
  Array.from({ length: bytes.length / MAC_BYTES }, (_, at) =>
    latin1(bytes.subarray(MAC_BYTES * at, MAC_BYTES * (at + 1))),
  );
