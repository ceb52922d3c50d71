/** Commands of the control queue, right and wrong, and which frames come through after them. */
import type { DriverOptions } from '../driver.ts';
import { broadcast, frame, hexOf, mac, MAC, PEER } from '../frames.ts';
import { type Guest, hex, PLACE, type Say, structure } from '../guest.ts';
import { commands, comes, type NetWork, netAtWork, offers, signals, words } from './net-work.ts';

type Script = (guest: Guest, say: Say) => Promise<void>;

const OTHER = mac('525400000077');
const GROUP = mac('333300000001');
const OTHER_GROUP = mac('01005e000009');

const list = (...macs: readonly Uint8Array[]): number[] => [
  ...words(macs.length, 4),
  ...macs.flatMap((each) => [...each]),
];
const many = (count: number): number[] => list(...new Array<Uint8Array>(count).fill(OTHER));

/** Class, command and data. */
const COMMANDS: readonly (readonly [name: string, ...bytes: number[]])[] = [
  ['promiscuous, no byte', 0, 0],
  ['promiscuous, two bytes', 0, 0, 0, 7],
  ['promiscuous 2', 0, 0, 2],
  ['no multicast', 0, 3, 1],
  ['no unicast', 0, 4, 1],
  ['no broadcast', 0, 5, 1],
  ['mode 6', 0, 6, 1],
  ['tables, nothing', 1, 0],
  ['tables, three bytes', 1, 0, 0, 0, 0],
  ['tables, one alone', 1, 0, ...list()],
  ['tables, both empty', 1, 0, ...list(), ...list()],
  ['tables, a byte more', 1, 0, ...list(), ...list(), 0],
  ['tables, a byte less', 1, 0, ...list(OTHER), ...list(GROUP).slice(0, -1)],
  ['tables, 64 and none', 1, 0, ...many(64), ...list()],
  ['tables, 65 and none', 1, 0, ...many(65), ...list()],
  ['tables, 63 and 2', 1, 0, ...many(63), ...many(2)],
  ['tables, 64 and 64', 1, 0, ...many(64), ...many(64)],
  ['tables, 65 and 64', 1, 0, ...many(65), ...many(64)],
  ['tables, a count that runs over', 1, 0, ...words(0x2aaa_aaab, 4), 0, 0, ...list()],
  ['tables, two that run over', 1, 0, ...words(0x2aaa_aaab, 4), 0, 0, ...words(0x2aaa_aaab, 4), 0, 0],
  ['address, five bytes', 1, 1, 1, 2, 3, 4, 5],
  ['address, seven bytes', 1, 1, 1, 2, 3, 4, 5, 6, 7],
  ['address', 1, 1, ...OTHER],
  ['MAC 2', 1, 2, ...OTHER],
  ['VLAN 5, a byte', 2, 0, 5],
  ['VLAN 5', 2, 0, ...words(5, 2)],
  ['no VLAN 5', 2, 1, ...words(5, 2)],
  ['no VLAN 6', 2, 1, ...words(6, 2)],
  ['VLAN 4095', 2, 0, ...words(4095, 2)],
  ['VLAN 4096', 2, 0, ...words(4096, 2)],
  ['VLAN 2', 2, 2, ...words(5, 2)],
  ['announced', 3, 0],
  ['announce 1', 3, 1],
  ['no pairs', 4, 0, ...words(0, 2)],
  ['one pair', 4, 0, ...words(1, 2)],
  ['two pairs', 4, 0, ...words(2, 2)],
  ['pairs, a byte', 4, 0, 1],
  ['RSS', 4, 1, ...words(0, 48)],
  ['hashes', 4, 2, ...words(0, 48)],
  ['offloads, seven bytes', 5, 0, ...words(0, 7)],
  ['offloads', 5, 0, ...words(0, 8)],
  ['offloads 1', 5, 1, ...words(0, 8)],
  ['class 6', 6, 0, 0],
];

export const allCommands =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    for (const [name, ...bytes] of COMMANDS) await commands(work, name, bytes);
    say(`address ${await configMac(work)}`);
    await commands(work, 'class alone, command apart', [0, 0, 1], (at, answer) => [
      [at, 1, false],
      [at + 1, 1, false],
      [at + 2, 1, false],
      [answer, 1, true],
    ]);
    await commands(work, 'all in one', [0, 1, 0], (at, answer) => [
      [at, 3, false],
      [answer, 1, true],
    ]);
    await commands(work, 'more room for an answer', [0, 1, 1], (at, answer) => [
      [at, 3, false],
      [answer, 100, true],
    ]);
  };

const KEY = new Array<number>(40).fill(0x6d);

/** struct virtio_net_rss_config: types, table, pair of all others, pairs, key. */
const spread = (types: number, table: readonly number[], otherwise: number, pairs: number, key: readonly number[]) => [
  ...[...words(types, 4), ...words(table.length - 1, 2), ...words(otherwise, 2)],
  ...[...table.flatMap((pair) => words(pair, 2)), ...words(pairs, 2), key.length, ...key],
];

const SPREADS: readonly (readonly [name: string, ...bytes: number[]])[] = [
  ['RSS', 4, 1, ...spread(0x1ff, [0, 0], 0, 1, KEY)],
  ['RSS, short key', 4, 1, ...spread(0x1ff, [0, 0], 0, 1, KEY.slice(0, 4))],
  ['RSS, no key', 4, 1, ...spread(1, [0], 0, 1, [])],
  ['RSS, nothing', 4, 1, ...spread(0, [0], 0, 1, [])],
  ['RSS, three entries', 4, 1, ...spread(1, [0, 0, 0], 0, 1, KEY)],
  ['RSS, no entries', 4, 1, ...spread(1, [], 0, 1, KEY)],
  ['RSS, 128 entries', 4, 1, ...spread(1, new Array<number>(128).fill(0), 0, 1, KEY)],
  ['RSS, 256 entries', 4, 1, ...spread(1, new Array<number>(256).fill(0), 0, 1, KEY)],
  ['RSS, entries beyond all', 4, 1, ...spread(1, [7, 0xffff], 0, 1, KEY)],
  ['RSS, others beyond all', 4, 1, ...spread(1, [0], 1, 1, KEY)],
  ['RSS, no pairs', 4, 1, ...spread(1, [0], 0, 0, KEY)],
  ['RSS, two pairs', 4, 1, ...spread(1, [0], 0, 2, KEY)],
  ['RSS, a key too long', 4, 1, ...spread(1, [0], 0, 1, [...KEY, 0])],
  ...[0, 7, 8, 9, 10, 12, 13, 20].map((length): [string, ...number[]] => [
    `RSS, ${length} bytes`,
    4,
    1,
    ...spread(1, [0], 0, 1, KEY).slice(0, length),
  ]),
  ['hashes', 4, 2, ...spread(1, [0], 0, 1, KEY)],
  ['one pair', 4, 0, ...words(1, 2)],
  ['MQ 3', 4, 3, ...words(1, 2)],
];

/** How frames are to be spread over queues: of one pair, as a backend of one has it. */
export const spreads =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    for (const [name, ...bytes] of SPREADS) {
      await commands(work, name, bytes);
      await offers(work, [[2048]]);
      await comes(work, 'after that', frame(MAC, PEER, 60));
    }
  };

/** Each breaks the device. */
export const brokenCommands =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    let memory = 0x30_0000;
    const wrong = async (name: string, pieces: (at: number, answer: number) => [number, number, boolean][]) => {
      const work = await netAtWork(guest, say, { ...options, memory });
      memory = work.driver.alloc(0);
      await commands(work, name, [0, 0, 1], pieces);
      await commands(work, 'after that', [0, 0, 1]);
    };
    await wrong('no answer', (at) => [[at, 3, false]]);
    await wrong('only an answer', (_at, answer) => [[answer, 1, true]]);
    await wrong('a class alone', (at, answer) => [
      [at, 1, false],
      [answer, 1, true],
    ]);
  };

async function configMac({ guest, driver }: NetWork): Promise<string> {
  const bytes: number[] = [];
  const { isModern, hasMsix } = driver.options;
  for (let at = 0; at < 6; at++) {
    const legacy = (): Promise<number> => guest.in(PLACE.io + (hasMsix ? 24 : 20) + at, 1);
    bytes.push(isModern ? await guest.read(structure('device') + at, 1) : await legacy());
  }
  return hexOf(bytes);
}

const tagged = (to: Uint8Array, vid: number): Uint8Array => {
  const bytes = frame(to, PEER, 64, 0x8100);
  bytes.set([vid >> 8, vid & 0xff], 14);
  return bytes;
};

const KINDS: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['us', frame(MAC, PEER, 60)],
  ['another', frame(OTHER, PEER, 60)],
  ['a third', frame(mac('525400000078'), PEER, 60)],
  ['all', frame(broadcast, PEER, 60)],
  ['a group', frame(GROUP, PEER, 60)],
  ['another group', frame(OTHER_GROUP, PEER, 60)],
  ['VLAN 0', tagged(MAC, 0)],
  ['VLAN 5', tagged(MAC, 5)],
  ['VLAN 5, priority 7', tagged(MAC, 0xe005)],
  ['VLAN 4095', tagged(MAC, 4095)],
];

/** Which of the kinds of frames come through. */
async function through(work: NetWork, say: Say, name: string): Promise<void> {
  const found: string[] = [];
  for (const [kind, bytes] of KINDS) {
    await offers(work, [[2048]]);
    await work.guest.send(bytes);
    if (!(await work.rx.state(false)).endsWith('-')) found.push(kind);
  }
  await signals(work);
  say(`${name}: ${found.join(', ') || 'nothing'}`);
}

/** Modes one after the other: what is on stays on until it is turned off. */
const MODES: readonly (readonly [name: string, ...bytes: number[]])[] = [
  ['not promiscuous', 0, 0, 0],
  ['all groups', 0, 1, 1],
  ['all groups, but none', 0, 3, 1],
  ['not all groups', 0, 1, 0],
  ['not none', 0, 3, 0],
  ['all addresses', 0, 2, 1],
  ['all addresses, but none', 0, 4, 1],
  ['not all addresses', 0, 2, 0],
  ['not none of them', 0, 4, 0],
  ['no broadcast', 0, 5, 1],
  ['broadcast', 0, 5, 0],
  ['another and a group', 1, 0, ...list(OTHER), ...list(GROUP)],
  ['more than fit', 1, 0, ...many(65), ...list(GROUP)],
  ['more groups than fit', 1, 0, ...list(OTHER), ...many(65)],
  ['none of them', 1, 0, ...list(), ...list()],
  ['VLAN 5', 2, 0, ...words(5, 2)],
  ['VLAN 4095', 2, 0, ...words(4095, 2)],
  ['no VLAN 5', 2, 1, ...words(5, 2)],
  ['another address', 1, 1, ...OTHER],
  ['promiscuous', 0, 0, 1],
];

export const filters =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    await through(work, say, 'at first');
    for (const [name, ...bytes] of MODES) {
      await commands(work, name, bytes);
      await through(work, say, name);
    }
  };

/** A reset puts everything back. */
export const resetFilters =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const first = await netAtWork(guest, say, options);
    await commands(first, 'not promiscuous', [0, 0, 0]);
    await commands(first, 'another address', [1, 1, ...OTHER]);
    await commands(first, 'VLAN 5', [2, 0, ...words(5, 2)]);
    say(`address ${await configMac(first)}`);
    await first.driver.setStatus(0);
    say(`address after a reset ${await configMac(first)}`);
    const again = await netAtWork(guest, say, { ...options, memory: first.driver.alloc(0) });
    await through(again, say, 'after a reset');
    await commands(again, 'not promiscuous', [0, 0, 0]);
    await through(again, say, 'not promiscuous');
  };

/** A driver of the oldest interface writes its address where it reads it. */
export const writtenAddress =
  (options: DriverOptions): Script =>
  async (guest, say) => {
    const work = await netAtWork(guest, say, options);
    const at = PLACE.io + (options.hasMsix ? 24 : 20);
    say(`address ${await configMac(work)}`);
    for (const [place, size, value] of [
      [0, 1, 0x02],
      [5, 1, 0x99],
      [2, 2, 0x1234],
      [4, 4, 0x7777_5566],
    ] as const) {
      await guest.out(at + place, size, value);
      say(`${place} ${size} ${hex(value)}: address ${await configMac(work)} status ${await guest.in(at + 6, 2)}`);
    }
    await comes(work, 'to it', frame(MAC, PEER, 60));
    await work.driver.setStatus(0);
    say(`address after a reset ${await configMac(work)}`);
  };
