import { expect, test } from 'vitest';
import { isFor } from '../../../src/devices/virtio-net/filter.ts';
import { NO_VLANS, netAtReset, type NetState, type RxMode } from '../../../src/devices/virtio-net/state.ts';
import { Card } from './card.ts';

const OWN = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const OTHER = '\x52\x54\0\0\0\x77';
const GROUP = '\x33\x33\0\0\0\x01';
const bytesOf = (text: string): number[] => [...text].map((each) => each.charCodeAt(0));

/** To an address, tagged or not. */
const frame = (to: ArrayLike<number>, vid?: number): Uint8Array =>
  Uint8Array.of(...Array.from(to), ...OWN, ...(vid === undefined ? [8, 0] : [0x81, 0, vid >> 8, vid & 0xff]));

const state = (modes: readonly RxMode[], more: Partial<NetState> = {}): NetState => ({ ...netAtReset, modes, ...more });
const SET = { unicast: [OTHER], multicast: [GROUP] };
const TO = { own: OWN, other: bytesOf(OTHER), group: bytesOf(GROUP), all: new Array<number>(6).fill(0xff) };

test.each<[string, NetState, Record<keyof typeof TO, boolean>]>([
  ['promiscuous', state(['promiscuous']), { own: true, other: true, group: true, all: true }],
  ['usual', state([]), { own: true, other: false, group: false, all: true }],
  ['tables', state([], SET), { own: true, other: true, group: true, all: true }],
  ['all groups', state(['all-multicast']), { own: true, other: false, group: true, all: true }],
  ['no groups', state(['all-multicast', 'no-multicast'], SET), { own: true, other: true, group: false, all: true }],
  ['all addresses', state(['all-unicast']), { own: true, other: true, group: false, all: true }],
  ['none', state(['all-unicast', 'no-unicast'], SET), { own: false, other: false, group: true, all: true }],
  ['no broadcast', state(['no-broadcast', 'all-multicast']), { own: true, other: false, group: true, all: false }],
  [
    'full tables',
    state([], { unicastAll: true, multicastAll: true }),
    { own: true, other: true, group: true, all: true },
  ],
])('%s', (_name, net, wanted) => {
  const found = Object.fromEntries(Object.entries(TO).map(([name, to]) => [name, isFor(net, OWN, frame(to))]));
  expect(found).toEqual(wanted);
});

test.each([
  ['no VLAN', NO_VLANS, false],
  ['that one', `\0${NO_VLANS.slice(1, 511)}\x80`, true],
])('a tagged frame, with %s', (_name, vlans, isWanted) => {
  expect(isFor(state([], { vlans }), OWN, frame(OWN, 0xe000 + 4095))).toBe(isWanted);
  expect(isFor(state([], { vlans }), OWN, frame(OWN, 5))).toBe(false);
});

test('a piece of a frame is for whom zeroes behind it would be for', () => {
  expect(isFor(state([]), OWN, Uint8Array.of(1))).toBe(false);
  expect(isFor(state([], { unicast: ['\0'.repeat(6)] }), OWN, Uint8Array.of(0))).toBe(true);
});

const words = (value: number): number[] => [value & 0xff, value >> 8];
const count = (entries: number): number[] => [...words(entries), 0, 0];

test('commands set what frames are wanted, and a stopped person is told', () => {
  const card = new Card();
  const told = (): Readonly<Record<string, string>> => card.bench.device.describe(card.state);
  expect(told()).toMatchObject({ mac: '52:54:00:12:34:56', link: 'up', receives: 'promiscuous' });
  expect(card.command(0, 0, 0)).toBe(0);
  expect(card.command(1, 1, ...bytesOf(OTHER))).toBe(0);
  expect(told()).toMatchObject({ mac: '52:54:00:00:00:77', receives: 'its own' });
  expect(card.command(1, 0, ...count(1), ...bytesOf(OTHER), ...count(1), ...bytesOf(GROUP))).toBe(0);
  expect(card.state).toMatchObject({ unicast: [OTHER], multicast: [GROUP], unicastAll: false, multicastAll: false });
  expect(card.command(1, 0, ...count(65), ...new Array<number>(65 * 6).fill(2), ...count(0))).toBe(0);
  expect(card.state).toMatchObject({ unicast: [], unicastAll: true });
  for (const data of [
    [],
    [1],
    [...count(2), ...bytesOf(OTHER), ...count(0)],
    [...count(0), 0],
    [...count(0), ...count(1)],
  ]) {
    expect(card.command(1, 0, ...data)).toBe(1);
  }
  expect(card.command(1, 2)).toBe(1);
  expect(card.command(2, 0, ...words(5))).toBe(0);
  expect(card.state.vlans.charCodeAt(0)).not.toBe(0);
  expect(card.command(2, 1, ...words(5))).toBe(0);
  expect([card.command(2, 2, ...words(5)), card.command(2, 0, 5), card.command(2, 0, ...words(4096))]).toEqual([
    1, 1, 1,
  ]);
  expect([card.command(0, 6, 1), card.command(0, 0), card.command(3, 0), card.command(9, 9)]).toEqual([1, 1, 1, 1]);
  card.bench.cable(false);
  expect(told()).toMatchObject({ link: 'down' });
});

test('a packet that waited and is not wanted any more is gone', () => {
  const card = new Card();
  expect(card.command(0, 0, 0)).toBe(0);
  expect(card.bench.packet({ number: 3, bytes: frame(TO.other) })).toBe(false);
  card.buffers(2048);
  expect(card.bench.packet({ number: 3, bytes: frame(TO.other) })).toBe(true);
  expect(card.bench.dropped).toEqual([[3, 'not for the driver']]);
});
