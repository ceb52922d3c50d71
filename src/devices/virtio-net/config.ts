/** Configuration and features. QEMU 7.2: virtio_net_get_config, virtio_net_get_features. */
import type { NetPeer } from '../device.ts';
import type { Words } from '../virtio/index.ts';
import { macFrom } from './mac.ts';
import { ANNOUNCE, CONFIG, FEATURE, LINK_UP, MAC_BYTES } from './registers.ts';
import { MOST_RSS } from './rss.ts';
import { isUnknown } from './vhost.ts';
import { type NetSetup, OFFERS } from './setup.ts';
import type { NetState } from './state.ts';

/** What a peer has to understand that is to be handed headers. */
const OF_HEADERS: readonly number[] = [
  ...[FEATURE.checksum, FEATURE.hostTso4, FEATURE.hostTso6, FEATURE.hostEcn, FEATURE.hostUfo],
  ...[FEATURE.guestChecksum, FEATURE.guestTso4, FEATURE.guestTso6, FEATURE.guestEcn, FEATURE.guestUfo],
  FEATURE.hashReport,
];

/** What old drivers understand that accept whatever there is. virtio_net_bad_features. */
export const BAD_FEATURES = wordsOf([
  ...[FEATURE.mac, FEATURE.checksum, FEATURE.hostTso4, FEATURE.hostTso6, FEATURE.hostEcn],
])[0];

/** Features it has by its setup alone. */
function ownFeatures(setup: NetSetup): number[] {
  return [
    FEATURE.mac,
    ...Object.entries(OFFERS).flatMap(([name, bit]) => (setup[name as keyof typeof OFFERS] ? [bit] : [])),
    ...(setup.host_mtu > 0 ? [FEATURE.mtu] : []),
    ...(setup.speed >= 0 || setup.duplex !== '' ? [FEATURE.speedDuplex] : []),
  ];
}

export function featuresOf(setup: NetSetup, peer: NetPeer | undefined): Words {
  const all = ownFeatures(setup);
  const known = peer === undefined ? all : all.filter((bit) => !isUnknown(peer, bit));
  return wordsOf(peer?.takesHeaders === true ? known : known.filter((bit) => !OF_HEADERS.includes(bit)));
}

function wordsOf(bits: readonly number[]): Words {
  const word = (from: number): number =>
    bits.reduce((sum, bit) => (bit >= from && bit < from + 32 ? sum | (1 << (bit - from)) : sum), 0) >>> 0;
  return [word(0), word(32)];
}

/** Where the configuration ends that a feature makes known. */
const ENDS: readonly (readonly [feature: number, end: number])[] = [
  [FEATURE.status, CONFIG.pairs],
  [FEATURE.multiQueue, CONFIG.mtu],
  [FEATURE.mtu, CONFIG.speed],
  [FEATURE.speedDuplex, CONFIG.rssKey],
  [FEATURE.rss, CONFIG.bytes],
  [FEATURE.hashReport, CONFIG.bytes],
];

/** Bytes of its configuration. */
export function configBytes(setup: NetSetup): number {
  const features = ownFeatures(setup);
  return Math.max(CONFIG.status, ...ENDS.flatMap(([feature, end]) => (features.includes(feature) ? [end] : [])));
}

const DUPLEX = { half: 0, full: 1, '': 0xff } as const;

/** struct virtio_net_config as it is now. */
export function configOf(setup: NetSetup, net: NetState): Uint8Array {
  const config = new DataView(new ArrayBuffer(CONFIG.bytes));
  for (const [at, byte] of macOf(setup, net).entries()) config.setUint8(CONFIG.mac + at, byte);
  config.setUint16(CONFIG.status, (net.isLinkUp ? LINK_UP : 0) | (net.isAnnouncing ? ANNOUNCE : 0), true);
  config.setUint16(CONFIG.pairs, setup['x-queue-pairs'], true);
  config.setUint16(CONFIG.mtu, setup.host_mtu, true);
  config.setInt32(CONFIG.speed, setup.speed, true);
  config.setUint8(CONFIG.duplex, DUPLEX[setup.duplex as keyof typeof DUPLEX]);
  config.setUint8(CONFIG.rssKey, MOST_RSS.key);
  config.setUint16(CONFIG.rssTable, setup.rss ? MOST_RSS.table : 1, true);
  config.setUint32(CONFIG.hashTypes, MOST_RSS.types, true);
  return new Uint8Array(config.buffer, 0, configBytes(setup));
}

/** Its address: a driver's, or the one it was made with. */
export function macOf(setup: Pick<NetSetup, 'mac'>, { mac }: Pick<NetState, 'mac'>): Uint8Array {
  const six = mac === '' ? (macFrom(setup.mac) ?? '') : mac;
  return Uint8Array.from({ length: MAC_BYTES }, (_, at) => (at < six.length ? six.charCodeAt(at) : 0));
}
