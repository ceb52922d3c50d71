import { hasFeature, type VirtioFunctionState, type Words } from '../virtio/index.ts';
import { FEATURE, HEADER } from './registers.ts';

/** Which frames a driver wants, by the names events have: VIRTIO_NET_CTRL_RX_*, in the order of its commands. */
export const RX_MODES = [
  'promiscuous',
  'all-multicast',
  'all-unicast',
  'no-multicast',
  'no-unicast',
  'no-broadcast',
] as const;

export type RxMode = (typeof RX_MODES)[number];

/** A frame that waits in the peer's queue, and the element that comes back when it has gone. */
export interface Sending {
  readonly queue: number;
  /** Undefined: a reset has given it back. */
  readonly elem: number | undefined;
}

/** How a driver wants frames to be spread. */
export interface Rss {
  /** Kinds of packets that have a hash, as bits. */
  readonly types: number;
  /** Pairs by the last bits of a hash: a power of two of them. */
  readonly table: readonly number[];
  /** Bytes, a character each. */
  readonly key: string;
  /** The pair of packets that have none. */
  readonly otherwise: number;
}

/** What a virtio network device has beside what all virtio devices have. */
export interface NetState {
  /** Six bytes, a character each; empty: as it was made with. */
  readonly mac: string;
  /** The address in the configuration as it was read or written last: what a write does not touch becomes that. */
  readonly shown: string;
  readonly isLinkUp: boolean;
  /** The kernel serves so many of its queues. Absent: the device does. */
  readonly offloaded?: number;
  /** Its driver is to tell everybody where it is, and has not said yet that it will. */
  readonly isAnnouncing: boolean;
  /** Pairs of queues in use. */
  readonly pairs: number;
  /** Absent: a driver does not say how frames are to be spread over them. */
  readonly rss?: Rss | undefined;
  readonly modes: readonly RxMode[];
  /** Other addresses: at most 64 of both kinds. */
  readonly unicast: readonly string[];
  readonly multicast: readonly string[];
  /** There are more than that: all are for it. */
  readonly unicastAll: boolean;
  readonly multicastAll: boolean;
  /** A bit for each of 4096 VLANs, eight a character. */
  readonly vlans: string;
  /** Pairs with frames the device is to look at: QEMU's tx_waiting. */
  readonly waiting: readonly number[];
  /** In the order in which they were sent. */
  readonly sending: readonly Sending[];
}

export type NetFunctionState = VirtioFunctionState & NetState;

/** Which VLANs frames may be of: of all, as long as a driver does not filter. */
export const NO_VLANS = '\0'.repeat(512);
export const ALL_VLANS = '\xff'.repeat(512);

/** What a reset by the driver puts back. */
export const netResetValues = {
  mac: '',
  pairs: 1,
  rss: undefined,
  modes: ['promiscuous'] as RxMode[],
  unicast: [] as string[],
  multicast: [] as string[],
  unicastAll: false,
  multicastAll: false,
  vlans: ALL_VLANS,
  waiting: [] as number[],
  isAnnouncing: false,
};

export const netAtReset: NetState = { ...netResetValues, shown: '\0'.repeat(6), isLinkUp: true, sending: [] };

/** Receive and transmit queue of a pair. */
export const rxQueue = (pair: number): number => 2 * pair;
export const txQueue = (pair: number): number => 2 * pair + 1;
export const pairOf = (queue: number): number => queue >> 1;

/** Whether a driver uses more than one pair, or may: then there are as many as can be. */
export const isMultiQueue = (features: Words): boolean =>
  hasFeature({ features }, FEATURE.multiQueue) || hasFeature({ features }, FEATURE.rss);

/** Whether a frame may lie in several buffers. */
export const merges = (net: Pick<NetFunctionState, 'features'>): boolean => hasFeature(net, FEATURE.mergeable);

/** Bytes before each frame in a driver's memory. */
export function headerBytes(net: Pick<NetFunctionState, 'features'>): number {
  if (!hasFeature(net, FEATURE.version1)) return merges(net) ? HEADER.buffers : HEADER.least;
  return hasFeature(net, FEATURE.hashReport) ? HEADER.hash : HEADER.buffers;
}
