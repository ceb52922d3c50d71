/** All scenes, by the file they are recorded in. */
import type { PropertyValue } from '../../../../src/devices/properties.ts';
import type { DriverOptions } from './driver.ts';
import { F } from './driver.ts';
import type { Scene } from './guest.ts';
import { BLK_FEATURES, blkRequests } from './scripts/blk-requests.ts';
import { blkResizes } from './scripts/blk-resizes.ts';
import { configurationSpace } from './scripts/config-space.ts';
import { malformedRings } from './scripts/malformed-rings.ts';
import {
  indicesWrap,
  oddLegacyPlaces,
  oddPlaces,
  oddSizes,
  oddTimes,
  queueResets,
  readyAtLast,
} from './scripts/odd-queues.ts';
import { randomRegisters } from './scripts/random-registers.ts';
import { allCommands, brokenCommands, filters, resetFilters, spreads, writtenAddress } from './scripts/net-control.ts';
import { announced } from './scripts/net-announced.ts';
import { links } from './scripts/net-links.ts';
import { bufferShapes, fewBuffers, oddBuffers, oddTimesIn, RECEIVING } from './scripts/net-receive.ts';
import { manyFrames, oddFrames, oddTimes as netOddTimes, wrongHeaders } from './scripts/net-transmit.ts';
import { NET_FEATURES } from './scripts/net-work.ts';
import { rngRequests } from './scripts/rng-requests.ts';
import { legacyScript, modernScript, msixScript, registersAtReset, windowScript } from './scripts/registers.ts';

type Properties = Readonly<Record<string, PropertyValue>>;

const MODERN_ONLY: Properties = { 'disable-legacy': true };
const LEGACY_ONLY: Properties = { 'disable-modern': true };

/** Ways to make a device, by what a name says of them. */
const MADE: Readonly<Record<string, Properties>> = {
  default: {},
  legacy: LEGACY_ONLY,
  modern: MODERN_ONLY,
  pages: { 'page-per-vq': true },
  'no vectors': { vectors: 0 },
  'no vectors, legacy': { ...LEGACY_ONLY, vectors: 0 },
  '129 vectors': { vectors: 129 },
  '2048 vectors': { vectors: 2048 },
  '4 queues': { 'num-queues': 4 },
  'no ring features': { event_idx: false, indirect_desc: false },
};

const BLOCKS: Properties = {
  ...{ logical_block_size: 4096, physical_block_size: 16_384, min_io_size: 8192, opt_io_size: 65_536 },
};

const blk = (name: string, properties: Properties, script: Scene['script']): Scene => ({
  name,
  driver: 'virtio-blk-pci',
  properties,
  script,
});

const rng = (name: string, properties: Properties, script: Scene['script']): Scene => ({
  name,
  driver: 'virtio-rng-pci',
  properties,
  script,
});

/** As a block device, but for what has to do with its queues. */
const RNG_MADE = Object.entries(MADE).filter(([, properties]) => properties['num-queues'] === undefined);

const ofAll = (script: Scene['script']): Scene[] =>
  Object.entries(MADE).map(([name, properties]) => blk(name, properties, script));

const RINGS: Readonly<Record<string, DriverOptions>> = {
  'modern, INTx': { isModern: true, hasMsix: false, features: BLK_FEATURES },
  'modern, MSI-X, EVENT_IDX, INDIRECT': {
    isModern: true,
    hasMsix: true,
    features: BLK_FEATURES + F.indirect + F.eventIdx,
  },
  'legacy, INTx': { isModern: false, hasMsix: false, features: BLK_FEATURES },
  'legacy, MSI-X, EVENT_IDX': { isModern: false, hasMsix: true, features: BLK_FEATURES + F.eventIdx },
  'modern, no features': { isModern: true, hasMsix: false, features: 0 },
};

const NET: Properties = { mac: '52:54:00:12:34:56', romfile: '' };

const net = (name: string, properties: Properties, script: Scene['script']): Scene => ({
  name,
  driver: 'virtio-net-pci',
  properties: { ...NET, ...properties },
  script,
});

/** As a block device, but for what has to do with its queues, and ways of its own. */
const NET_MADE = [
  ...RNG_MADE,
  ...Object.entries({
    mq: { mq: true },
    mtu: { host_mtu: 9000 },
    speed: { speed: 1000, duplex: 'full' },
    'half duplex': { duplex: 'half' },
    'no speed': { speed: 0 },
    hashes: { rss: true, hash: true },
    'long queues': { rx_queue_size: 1024, tx_queue_size: 512 },
    'no control queue': { ctrl_vq: false, ctrl_rx: false, ctrl_vlan: false, guest_announce: false },
    'nothing of its own': {
      ...{ gso: false, guest_announce: false, mrg_rxbuf: false, status: false, ctrl_vq: false, ctrl_rx: false },
      ...{ ctrl_vlan: false, ctrl_rx_extra: false, ctrl_mac_addr: false, ctrl_guest_offloads: false },
    },
  } satisfies Record<string, Properties>),
];

const NET_RINGS: Readonly<Record<string, DriverOptions>> = {
  'modern, MSI-X': { isModern: true, hasMsix: true, features: NET_FEATURES },
  'modern, INTx, EVENT_IDX': { isModern: true, hasMsix: false, features: NET_FEATURES + F.eventIdx },
  'legacy, INTx': { isModern: false, hasMsix: false, features: NET_FEATURES },
  'legacy, MSI-X, EVENT_IDX': { isModern: false, hasMsix: true, features: 0x20 + F.eventIdx },
};

const RSS = 2 ** 28;
const SPREADING = { isModern: true, hasMsix: true, features: NET_FEATURES + 2 ** 22 };

const ofRings = (rings: Readonly<Record<string, DriverOptions>>, name: string, properties: Properties, script: Net) =>
  Object.entries(rings).map(([ring, options]) => net(`${name}, ${ring}`, properties, script(options)));

type Net = (options: DriverOptions) => Scene['script'];

/** All of one file run one after the other, each on a machine of its own. */
export const SCENES: Readonly<Record<string, readonly Scene[]>> = {
  'blk-configuration-space': ofAll(configurationSpace),
  'blk-registers-at-reset': ofAll(registersAtReset),
  'blk-register-scripts': [
    blk('legacy', {}, legacyScript),
    blk('legacy alone', LEGACY_ONLY, legacyScript),
    blk('modern', {}, modernScript),
    blk('modern alone', MODERN_ONLY, modernScript),
    blk('window', {}, windowScript),
    blk('window, modern alone', MODERN_ONLY, windowScript),
    blk('window, pages', { 'page-per-vq': true }, windowScript),
    blk('MSI-X', {}, msixScript),
  ],
  'blk-random-registers': [
    blk('transitional', { 'num-queues': 2 }, randomRegisters('both', 1)),
    blk('modern', MODERN_ONLY, randomRegisters('modern', 2)),
    blk('legacy', LEGACY_ONLY, randomRegisters('legacy', 3)),
  ],
  'blk-requests': [
    ...Object.entries(RINGS).map(([name, options]) => blk(name, {}, blkRequests(options))),
    blk('no eventfds', { ioeventfd: false }, blkRequests({ isModern: true, hasMsix: true, features: 0xffff_ffff })),
    blk(
      'legacy alone, MSI-X',
      LEGACY_ONLY,
      blkRequests({ isModern: false, hasMsix: true, features: 0xffff_ffff - 2 ** 30 }),
    ),
  ],
  'blk-malformed-rings': [
    blk('modern, MSI-X', {}, malformedRings({ isModern: true, hasMsix: true, isBlk: true })),
    blk('modern, INTx', {}, malformedRings({ isModern: true, hasMsix: false, isBlk: true })),
    blk('legacy, INTx', {}, malformedRings({ isModern: false, hasMsix: false, isBlk: true })),
  ],
  'blk-odd-queues': [
    blk('sizes', {}, oddSizes),
    blk('indices wrap', {}, indicesWrap),
    blk('places', {}, oddPlaces),
    blk('places, legacy', {}, oddLegacyPlaces),
    blk('times', {}, oddTimes(true)),
    blk('times, legacy', {}, oddTimes(false)),
    blk('ready at last', {}, readyAtLast('modern')),
    blk('ready at last, through the window', {}, readyAtLast('window')),
    blk('ready at last, legacy', {}, readyAtLast('legacy')),
    blk('times, no eventfds', { ioeventfd: false }, oddTimes(true)),
    blk('times, legacy, no eventfds', { ioeventfd: false }, oddTimes(false)),
    blk('ready at last, no eventfds', { ioeventfd: false }, readyAtLast('modern')),
    blk('queue reset', {}, queueResets),
  ],
  'blk-properties': [
    blk('blocks', BLOCKS, registersAtReset),
    blk('a disk that ends within a block', { ...BLOCKS, heads: 3, secs: 5, cyls: 137 }, registersAtReset),
    blk('no segments by the queue', { 'seg-max-adjust': false, 'queue-size': 64 }, registersAtReset),
    blk('no discard', { discard: false, 'write-cache': 'off' }, registersAtReset),
    blk('no write of zeroes', { 'write-zeroes': false, discard_granularity: 8192 }, registersAtReset),
    blk('neither', { discard: false, 'write-zeroes': false }, registersAtReset),
    blk('granularity not told', { discard_granularity: 8192, 'report-discard-granularity': false }, registersAtReset),
    blk('requests of blocks', BLOCKS, blkRequests({ isModern: true, hasMsix: true, features: BLK_FEATURES })),
    blk('write cache off', { 'write-cache': 'off' }, blkRequests({ isModern: true, hasMsix: true, features: 0x204 })),
    blk(
      'few sectors at once',
      { 'max-discard-sectors': 4, 'max-write-zeroes-sectors': 2 },
      blkRequests({ isModern: true, hasMsix: true, features: BLK_FEATURES }),
    ),
  ],
  'blk-resizes': [
    blk('modern, MSI-X', {}, blkResizes({ isModern: true, hasMsix: true, features: BLK_FEATURES })),
    blk('modern, INTx', {}, blkResizes({ isModern: true, hasMsix: false, features: BLK_FEATURES })),
    blk('legacy, MSI-X', {}, blkResizes({ isModern: false, hasMsix: true, features: BLK_FEATURES })),
    blk('legacy, INTx', {}, blkResizes({ isModern: false, hasMsix: false, features: BLK_FEATURES })),
  ],
  'rng-configuration-space': RNG_MADE.map(([name, properties]) => rng(name, properties, configurationSpace)),
  'rng-registers': [
    ...RNG_MADE.map(([name, properties]) => rng(`${name}, at reset`, properties, registersAtReset)),
    rng('legacy', {}, legacyScript),
    rng('modern', {}, modernScript),
    rng('window', {}, windowScript),
    rng('random, transitional', {}, randomRegisters('both', 4)),
    rng('random, modern', MODERN_ONLY, randomRegisters('modern', 5)),
  ],
  'net-registers': [
    ...NET_MADE.map(([name, properties]) => net(`${name}, at reset`, properties, registersAtReset)),
    net('configuration space', {}, configurationSpace),
    net('configuration space, modern', MODERN_ONLY, configurationSpace),
    net('configuration space, mq', { mq: true }, configurationSpace),
    net('legacy', {}, legacyScript),
    net('modern', {}, modernScript),
    net('window', {}, windowScript),
    net('random, transitional', {}, randomRegisters('both', 6)),
    net('random, modern', MODERN_ONLY, randomRegisters('modern', 7)),
    net('random, legacy', LEGACY_ONLY, randomRegisters('legacy', 8)),
  ],
  'net-transmit': [
    ...ofRings(NET_RINGS, 'odd frames', {}, oddFrames),
    ...ofRings(NET_RINGS, 'wrong headers', {}, wrongHeaders),
    ...ofRings(NET_RINGS, 'odd times', {}, netOddTimes),
    ...ofRings(NET_RINGS, 'odd times, no eventfds', { ioeventfd: false }, netOddTimes),
    ...ofRings(NET_RINGS, 'odd times, timer', { tx: 'timer' }, netOddTimes),
    ...ofRings(NET_RINGS, 'ten at once', {}, (options) => manyFrames(options, 10)),
    ...ofRings(NET_RINGS, 'ten at once, a burst is four', { 'x-txburst': 4 }, (options) => manyFrames(options, 10)),
    ...ofRings(NET_RINGS, 'ten at once, timer', { tx: 'timer', 'x-txburst': 4 }, (options) => manyFrames(options, 10)),
    ...ofRings(NET_RINGS, 'ten at once, no eventfds', { ioeventfd: false }, (options) => manyFrames(options, 10)),
  ],
  'net-receive': [
    ...ofRings(RECEIVING, 'shapes', {}, bufferShapes),
    ...ofRings(RECEIVING, 'few', {}, fewBuffers),
    ...ofRings(RECEIVING, 'odd', {}, oddBuffers),
    ...ofRings(RECEIVING, 'odd times', {}, oddTimesIn),
    ...ofRings(RECEIVING, 'odd times, no eventfds', { ioeventfd: false }, oddTimesIn),
  ],
  'net-control': [
    ...ofRings(NET_RINGS, 'all', {}, allCommands),
    ...ofRings(NET_RINGS, 'broken', {}, brokenCommands),
    ...ofRings(NET_RINGS, 'filters', {}, filters),
    ...ofRings(NET_RINGS, 'reset', {}, resetFilters),
    net('filters, no features', {}, filters({ isModern: true, hasMsix: true, features: 2 ** 17 })),
    net('all, mq', { mq: true }, allCommands({ isModern: true, hasMsix: true, features: NET_FEATURES + 2 ** 22 })),
    net('spreads', { rss: true, mq: true }, spreads({ ...SPREADING, high: RSS })),
    net('spreads, not accepted', { rss: true }, spreads(SPREADING)),
    net('spreads, one that has none', { mq: true }, spreads(SPREADING)),
    net('address, legacy', {}, writtenAddress({ isModern: false, hasMsix: false, features: 0x20 })),
    net('address, legacy, MSI-X', {}, writtenAddress({ isModern: false, hasMsix: true, features: 0x20 })),
    net('address, legacy, controlled', {}, writtenAddress({ isModern: false, hasMsix: false, features: NET_FEATURES })),
  ],
  'net-links': ofRings(NET_RINGS, 'links', {}, links),
  'net-announced': [
    ...ofRings(NET_RINGS, 'announced', {}, announced),
    ...ofRings(
      { 'modern, MSI-X': NET_RINGS['modern, MSI-X']! },
      'nobody is asked',
      { guest_announce: false },
      announced,
    ),
  ],
  'rng-queues': [
    rng('requests, modern', {}, rngRequests({ isModern: true, hasMsix: true, features: F.indirect })),
    rng('requests, EVENT_IDX', {}, rngRequests({ isModern: true, hasMsix: true, features: F.eventIdx })),
    rng('requests, legacy', {}, rngRequests({ isModern: false, hasMsix: false, features: 0 })),
    rng('malformed rings', {}, malformedRings({ isModern: true, hasMsix: true, isBlk: false })),
    rng('malformed rings, legacy', {}, malformedRings({ isModern: false, hasMsix: false, isBlk: false })),
  ],
};

/** Whether a device is a network card, whose wire leads to the backend NETDEV. */
export const isNic = (driver: string): boolean => driver === 'virtio-net-pci';
export const NETDEV = 'n0';

/** Whether there is a disk to a device. */
export const hasDrive = (driver: string): boolean => driver === 'virtio-blk-pci';

/** Sectors of the disk of each scene. */
export const SECTORS = 2048;
export const SERIAL = 'RV0001';

/** A byte of it: a sector tells its number. */
export function diskByte(at: number): number {
  const [sector, place] = [Math.floor(at / 512), at % 512];
  const name = `sector ${sector} `;
  return name.charCodeAt(place % name.length);
}

/** What a scene is called in its transcript. */
export const titleOf = ({ name, driver, properties }: Scene): string =>
  `## ${driver}, ${name}${Object.entries(properties)
    .map(([key, value]) => ` ${key}=${value}`)
    .join('')}`;
