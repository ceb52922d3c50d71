import { describe, expect, test } from 'vitest';
import { pairFor, toeplitz } from '../../../src/devices/virtio-net/rss.ts';
import type { Rss } from '../../../src/devices/virtio-net/state.ts';
import { Card, CONTROL, RX, TX } from './card.ts';

/** The verification suite of Microsoft's receive-side scaling: its key, and some of its rows. */
const KEY = [
  ...[0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca],
  ...[0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b],
  ...[0xbe, 0xac, 0x01, 0xfa],
];
const TEXT = String.fromCharCode(...KEY);
const port = (number: number): number[] => [number >> 8, number & 0xff];

interface Row {
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly ports: readonly [number, number];
  readonly addresses: number;
  readonly all: number;
}

const IPV4: readonly Row[] = [
  { from: [66, 9, 149, 187], to: [161, 142, 100, 80], ports: [2794, 1766], addresses: 0x323e8fc2, all: 0x51ccc178 },
  { from: [199, 92, 111, 2], to: [65, 69, 140, 83], ports: [14230, 4739], addresses: 0xd718262a, all: 0xc626b0ea },
];

const groups = (text: string): number[] => {
  const [head = '', tail = ''] = text.split('::').map((part) => part.replace(/:$/, ''));
  const of = (part: string): number[] =>
    part === '' ? [] : part.split(':').flatMap((group) => port(Number.parseInt(group, 16)));
  const [first, last] = [of(head), of(tail)];
  return [...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last];
};

const IPV6: readonly Row[] = [
  {
    ...{ from: groups('3ffe:2501:200:1fff::7'), to: groups('3ffe:2501:200:3::1'), ports: [2794, 1766] },
    ...{ addresses: 0x2cc18cd5, all: 0x40207d3d },
  },
];

test.each([...IPV4, ...IPV6])('the hash of %o', ({ from, to, ports, addresses, all }) => {
  expect(toeplitz(TEXT, Uint8Array.of(...from, ...to))).toBe(addresses);
  expect(toeplitz(TEXT, Uint8Array.of(...from, ...to, ...port(ports[0]), ...port(ports[1])))).toBe(all);
});

const ETHERNET = new Array<number>(12).fill(2);

function ipv4({ from, to, ports }: Row, protocol: number, fragment = 0, options: readonly number[] = []): Uint8Array {
  const header = [0x45 + options.length / 4, 0, 0, 28, 0, 0, ...port(fragment), 64, protocol, 0, 0, ...from, ...to];
  return Uint8Array.of(...ETHERNET, 8, 0, ...header, ...options, ...port(ports[0]), ...port(ports[1]), 0, 0, 0, 0);
}

function ipv6({ from, to, ports }: Row, next: number, extensions: readonly number[] = []): Uint8Array {
  const header = [0x60, 0, 0, 0, 0, 8 + extensions.length, next, 64, ...from, ...to, ...extensions];
  return Uint8Array.of(...ETHERNET, 0x86, 0xdd, ...header, ...port(ports[0]), ...port(ports[1]), 0, 0, 0, 0);
}

const tagged = (frame: Uint8Array): Uint8Array =>
  Uint8Array.of(...ETHERNET, 0x81, 0, 0, 5, ...frame.subarray(ETHERNET.length));

describe('a frame goes to the pair', () => {
  const [row = undefined as never] = IPV4;
  const [row6 = undefined as never] = IPV6;
  const table = Array.from({ length: 128 }, (_, at) => at);
  const rss = (types: number): Rss => ({ types, table, key: TEXT, otherwise: 200 });
  const NO_PAIR = 200;

  test.each([
    ['TCP', ipv4(row, 6), 0x1ff, row.all],
    ['TCP behind a tag', tagged(ipv4(row, 6)), 0x1ff, row.all],
    ['TCP behind options', ipv4(row, 6, 0, [1, 1, 1, 1]), 0x1ff, row.all],
    ['UDP', ipv4(row, 17), 0x1ff, row.all],
    ['UDP, of which there is no hash', ipv4(row, 17), 0x3, row.addresses],
    ['ICMP', ipv4(row, 1), 0x1ff, row.addresses],
    ['a fragment', ipv4(row, 6, 0x2000), 0x1ff, row.addresses],
    ['TCP over IPv6', ipv6(row6, 6), 0x1ff, row6.all],
    ['TCP behind an extension', ipv6(row6, 0, [6, 0, 1, 4, 0, 0, 0, 0]), 0x1ff, row6.all],
    ['a fragment of IPv6', ipv6(row6, 44, [6, 0, 0, 1, 0, 0, 0, 9]), 0x1ff, row6.addresses],
    ['IPv6 alone', ipv6(row6, 58), 0x8, row6.addresses],
  ])('its hash has: %s', (_name, frame, types, hash) => {
    expect(pairFor({ pairs: 1000, rss: rss(types) }, frame)).toBe(hash & 127);
  });

  test.each([
    ['no kind is wanted', ipv4(row, 6), 0],
    ['it is no packet of IP', Uint8Array.of(...ETHERNET, 8, 6, 0, 1), 0x1ff],
    ['it is cut', ipv4(row, 6).subarray(0, 30), 0x1ff],
    ['it is of another version', ipv4(row, 6).fill(0x65, 14, 15), 0x1ff],
    ['it is cut, of IPv6', ipv6(row6, 6).subarray(0, 40), 0x1ff],
  ])('of others where %s', (_name, frame, types) => {
    expect(pairFor({ pairs: 1000, rss: rss(types) }, frame)).toBe(NO_PAIR);
  });

  test('of those in use', () => {
    expect(pairFor({ pairs: 3, rss: rss(0) }, ipv4(row, 6))).toBe(NO_PAIR % 3);
    expect(pairFor({ pairs: 4, rss: undefined }, ipv4(row, 6))).toBe(row.all % 4);
    expect(pairFor({ pairs: 1, rss: undefined }, ipv4(row, 6))).toBe(0);
  });
});

describe('several pairs', () => {
  const MQ = 2 ** 22;
  const LOW = 2 ** 15 + 2 ** 17 + MQ;
  const [, row = undefined as never] = IPV4;
  const frame = ipv4(row, 6);

  test('are there once they are accepted, and the control queue is behind them', () => {
    const card = new Card({ mq: true, 'x-queue-pairs': 4 }, LOW);
    expect(card.state.queues.map(({ size }) => size)).toEqual([256, 256, 256, 256, 256, 256, 256, 256, 64]);
    expect([8, 9].map((at) => card.bench.read(at, 1, 2))).toEqual([4, 0]);
    card.write(20, 1, 0);
    expect(card.state.queues).toHaveLength(3);
    card.begin(2 ** 15);
    expect(card.state.queues).toHaveLength(3);
  });

  test.each([
    [0, 1],
    [3, 0],
    [4, 0],
    [5, 1],
  ])('a driver that asks for %d is answered %d', (pairs, ack) => {
    const card = new Card({ mq: true, 'x-queue-pairs': 4 }, LOW, false, 8);
    expect(card.command(4, 0, pairs, 0)).toBe(ack);
    expect(card.state.pairs).toBe(ack === 0 ? pairs : 1);
  });

  test('send, and frames come where their flow belongs', () => {
    const card = new Card({ mq: true, 'x-queue-pairs': 4 }, LOW, false, 8);
    expect(card.command(4, 0, 4, 0)).toBe(0);
    const pair = row.all % 4;
    card.frame(60, undefined, 2 * pair + TX);
    card.kick(2 * pair + TX);
    expect(card.used(2 * pair + TX).index).toBe(1);
    card.buffersOf(2 * pair + RX, 2048);
    expect(card.bench.packet({ number: 1, bytes: frame })).toBe(true);
    expect(card.used(2 * pair + RX).index).toBe(1);
  });

  test('are those a driver says', () => {
    const card = new Card({ mq: true, rss: true, 'x-queue-pairs': 2 }, LOW, false, 4, 2 ** 28);
    const spread = [0xff, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 2, 0, KEY.length, ...KEY];
    expect(card.command(4, 1, ...spread)).toBe(0);
    expect(card.state).toMatchObject({ pairs: 2, rss: { types: 0x1ff, table: [1, 1], otherwise: 0, key: TEXT } });
    card.buffersOf(2 + RX, 2048);
    expect(card.bench.packet({ number: 1, bytes: frame })).toBe(true);
    expect(card.used(2 + RX).index).toBe(1);
    expect(card.command(4, 0, 2, 0)).toBe(0);
    expect(card.state.rss).toBeUndefined();
    expect(card.command(4, 7)).toBe(1);
  });

  test('a frame for one that is not set up is gone', () => {
    const card = new Card({ mq: true, 'x-queue-pairs': 4 }, LOW, false, 8);
    card.command(4, 0, 4, 0);
    card.resetQueue(2 * (row.all % 4) + RX);
    expect(card.bench.packet({ number: 9, bytes: frame })).toBe(true);
    expect(card.bench.dropped).toEqual([[9, 'the queue is not there']]);
  });

  test('the control queue of one pair is where it always was', () => {
    const card = new Card({ mq: true });
    expect(card.command(4, 0, 1, 0)).toBe(1);
    expect(card.used(CONTROL).index).toBe(1);
  });
});
