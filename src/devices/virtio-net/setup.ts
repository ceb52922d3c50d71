import { Problem } from '../../base/problem.ts';
import type { Around } from '../driver.ts';
import {
  bool,
  int32,
  isPowerOf2,
  macAddress,
  MOST_PAIRS,
  netdevId,
  type PropertiesOf,
  type SwitchProperty,
  text,
  uint16,
  uint32,
} from '../properties.ts';
import { VIRTIO_PROPERTIES, type VirtioSetup } from '../virtio/index.ts';
import { FEATURE } from './registers.ts';

/** Switches that offer a feature, by QEMU's names. */
export const OFFERS = {
  csum: FEATURE.checksum,
  guest_csum: FEATURE.guestChecksum,
  gso: FEATURE.gso,
  guest_tso4: FEATURE.guestTso4,
  guest_tso6: FEATURE.guestTso6,
  guest_ecn: FEATURE.guestEcn,
  guest_ufo: FEATURE.guestUfo,
  guest_announce: FEATURE.announce,
  host_tso4: FEATURE.hostTso4,
  host_tso6: FEATURE.hostTso6,
  host_ecn: FEATURE.hostEcn,
  host_ufo: FEATURE.hostUfo,
  mrg_rxbuf: FEATURE.mergeable,
  status: FEATURE.status,
  ctrl_vq: FEATURE.control,
  ctrl_rx: FEATURE.controlRx,
  ctrl_vlan: FEATURE.controlVlan,
  ctrl_rx_extra: FEATURE.controlRxExtra,
  ctrl_mac_addr: FEATURE.controlMac,
  ctrl_guest_offloads: FEATURE.controlGuestOffloads,
  mq: FEATURE.multiQueue,
  rss: FEATURE.rss,
  hash: FEATURE.hashReport,
  guest_rsc_ext: FEATURE.rscExtended,
} as const;

type Offers = { readonly [K in keyof typeof OFFERS]: boolean };

/** What a virtio-net-pci is made with; QEMU's names. */
export interface NetSetup extends VirtioSetup, Offers {
  readonly mac: string;
  readonly netdev: string;
  readonly 'x-txtimer': number;
  readonly 'x-txburst': number;
  readonly tx: string;
  readonly rx_queue_size: number;
  readonly tx_queue_size: number;
  readonly host_mtu: number;
  readonly speed: number;
  readonly duplex: string;
  /** As many as its tap has queues; of another backend, which would have one in QEMU, as is asked for. */
  readonly 'x-queue-pairs': number;
}

/** Not offered unless somebody asks. */
const USUALLY_OFF: readonly string[] = ['mq', 'rss', 'hash', 'guest_rsc_ext'];

const offers = Object.fromEntries(
  Object.entries(OFFERS).map(([name, bit]): [string, SwitchProperty] => [
    name,
    bool(!USUALLY_OFF.includes(name), `Offer feature ${bit}`),
  ]),
) as unknown as Readonly<Record<keyof Offers, SwitchProperty>>;

const QUEUE_SIZE = { least: 256, most: 1024 } as const;

/** TX_TIMER_INTERVAL in nanoseconds, TX_BURST. */
const TX = { timer: 150_000, burst: 256 } as const;

/** SPEED_UNKNOWN. */
const UNKNOWN = -1;

export const NET_PROPERTIES: PropertiesOf<NetSetup> = {
  ...VIRTIO_PROPERTIES,
  ...offers,
  mac: macAddress,
  netdev: netdevId,
  'x-txtimer': uint32(TX.timer, 'Nanoseconds that frames wait with tx=timer'),
  'x-txburst': int32(TX.burst, 'Most frames it sends before others have their turn'),
  tx: text('', 'timer: frames wait for each other; bh: they do not, which is usual'),
  rx_queue_size: uint16(QUEUE_SIZE.least, 'Descriptors of a receive queue, a power of two'),
  tx_queue_size: uint16(QUEUE_SIZE.least, 'Descriptors of a transmit queue, a power of two'),
  host_mtu: uint16(0, 'The MTU a driver is to use, if it is not 0'),
  speed: int32(UNKNOWN, 'Mb/s it says it has', [UNKNOWN, 0x7fff_ffff]),
  duplex: text('', 'half or full, as it says'),
  'x-queue-pairs': uint16(1, 'Pairs of queues for a driver of mq=on, where the backend is no tap', [1, MOST_PAIRS]),
};

type Flaw = readonly [isWrong: (setup: NetSetup) => boolean, sentence: (setup: NetSetup) => string];

const isNoSize = (size: number): boolean => size < QUEUE_SIZE.least || size > QUEUE_SIZE.most || !isPowerOf2(size);
const range = `must be a power of 2 between ${QUEUE_SIZE.least} and ${QUEUE_SIZE.most}`;

/** What of a setup QEMU refuses when it makes the device, and a `tx` it takes for the usual one. */
const FLAWS: readonly Flaw[] = [
  [({ duplex }) => !['', 'half', 'full'].includes(duplex), () => "'duplex' must be 'half' or 'full'"],
  [
    ({ rx_queue_size: size }) => isNoSize(size),
    ({ rx_queue_size: size }) => `Invalid rx_queue_size (= ${size}), ${range}`,
  ],
  [
    ({ tx_queue_size: size }) => isNoSize(size),
    ({ tx_queue_size: size }) => `Invalid tx_queue_size (= ${size}), ${range}`,
  ],
  [({ tx }) => !['', 'timer', 'bh'].includes(tx), ({ tx }) => `tx=${tx} is neither timer nor bh`],
];

/** Throws a Problem for what QEMU refuses. Of a tap there are as many pairs as that has. */
export function settledNet(setup: NetSetup, { queues }: Around): NetSetup {
  for (const [isWrong, sentence] of FLAWS) {
    if (isWrong(setup)) throw new Problem(`-device virtio-net-pci: ${sentence(setup)}.`);
  }
  const pairs = setup['x-queue-pairs'];
  if (queues !== undefined && pairs !== 1 && pairs !== queues) {
    throw new Problem(
      `-device virtio-net-pci: x-queue-pairs=${pairs} is not what its tap says: that has queues=${queues}.`,
    );
  }
  // Longer transmit queues are for backends of other processes.
  const tx_queue_size = Math.min(setup.tx_queue_size, QUEUE_SIZE.least);
  return { ...setup, tx_queue_size, 'x-queue-pairs': queues ?? pairs };
}
