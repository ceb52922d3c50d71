import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Conversations } from '../../../src/packets/dissect/conversations.ts';
import { dissect } from '../../../src/packets/dissect/dissect.ts';
import { FLOW_FIELDS, OWN_FIELDS, PACKET_NAMES } from '../../../src/packets/dissect/fields-table.ts';
import { summary } from '../../../src/packets/dissect/summary.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { casesOf } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { chance } from '../../replay/trace/mutated.ts';
import { captured, framesOf } from '../pcap.ts';
import { FIELDS, plain, tsharkFields } from './judge.ts';
import { OTHERS } from './others.ts';

const folder = scratchFolder();
const BRIDGE = framesOf(join(import.meta.dirname, '../captured/bridge.pcap.gz'));

/** Values of every field, in an order that does not matter. */
const ours = (frame: Uint8Array): string[][] => {
  const d = dissect(frame);
  return FIELDS.map((name) => d.valuesOf(name).map(plain).sort());
};

describe('fields of packets', () => {
  test.each([
    ['virtio-net', captured('virtio-net')],
    ['e1000', captured('e1000')],
    ['a bridge', BRIDGE],
    ['others', Object.values(OTHERS)],
  ])('of a capture of %s are those tshark tells', without(tool('tshark')), (name, frames) => {
    const told = tsharkFields(frames, FIELDS, join(folder, `${name}.pcap`));
    for (const [at, frame] of frames.entries()) {
      const differ = ours(frame).flatMap((values, field) => {
        const theirs = [...told[at]![field]!].sort();
        return `${theirs}` === `${values}` ? [] : [`${FIELDS[field]}: tshark ${theirs}, ours ${values}`];
      });
      expect({ frame: at + 1, differ, fault: dissect(frame).fault }).toEqual({ frame: at + 1, differ: [] });
    }
  });

  test('are each in some frame that was judged', () => {
    const frames = [...captured('virtio-net'), ...captured('e1000'), ...BRIDGE, ...Object.values(OTHERS)];
    const seen = new Set(frames.flatMap((frame) => [...dissect(frame).fields.keys()]));
    expect(Object.keys(OWN_FIELDS).filter((name) => !seen.has(name as keyof typeof OWN_FIELDS))).toEqual([]);
  });

  test('may be asked for by protocol, and by either end', () => {
    const d = dissect(OTHERS['a question of DNS']!);
    expect(['dns', 'udp', 'tcp', 'arp'].map((name) => d.valuesOf(name))).toEqual([[1], [1], [0], [0]]);
    expect(d.valuesOf('udp.port')).toEqual([1025, 53]);
    expect(d.valuesOf('udp.dport')).toEqual([53]);
    expect(d.valuesOf('__proto__')).toEqual([]);
    expect(new Set(PACKET_NAMES).size).toBe(PACKET_NAMES.length);
  });
});

describe('connections', () => {
  const again = OTHERS['every option of TCP']!;
  /** The same with other ports, sequence numbers and flags. */
  const segment = (from: number, to: number, seq: number, ack: number, flags: number): Uint8Array => {
    const frame = Uint8Array.from(again);
    const view = new DataView(frame.buffer);
    view.setUint16(34, from);
    view.setUint16(36, to);
    view.setUint32(38, seq);
    view.setUint32(42, ack);
    frame[47] = flags;
    return frame;
  };
  const [SYN, ACK] = [2, 16];
  // Met in the middle; a port that is used again; numbers that pass the end; an answer nobody asked for.
  const CRAFTED = [
    ...[segment(1, 2, 1000, 5000, ACK), segment(1, 2, 1100, 5000, ACK), segment(2, 1, 5000, 1100, ACK)],
    ...[segment(3, 4, 2 ** 32 - 1, 0, SYN), segment(4, 3, 77, 0, SYN | ACK), segment(3, 4, 0, 78, ACK)],
    ...[segment(3, 4, 123, 0, SYN), segment(3, 4, 123, 0, SYN), segment(3, 4, 124, 1, ACK)],
    ...[segment(6, 5, 99, 100, SYN | ACK), segment(5, 6, 100, 100, ACK), segment(5, 6, 99, 100, 4)],
  ];

  test.each([
    ['virtio-net', captured('virtio-net')],
    ['a bridge', BRIDGE],
    ['crafted segments', CRAFTED],
  ])('of %s are counted as tshark counts them', without(tool('tshark')), (name, frames) => {
    const names = Object.keys(FLOW_FIELDS) as (keyof typeof FLOW_FIELDS)[];
    const told = tsharkFields(frames, names, join(folder, `flows ${name}.pcap`));
    const conversations = new Conversations();
    const values = frames.map((frame) => {
      const d = dissect(frame);
      conversations.next(d);
      return names.map((field) => d.valuesOf(field).map(plain));
    });
    expect(values).toEqual(told);
  });
});

describe('a packet in a line', () => {
  test.each([
    [captured('virtio-net')[12]!, 'ARP, Request who-has 10.0.2.2 tell 10.0.2.15'],
    [captured('virtio-net')[14]!, 'IP 10.0.2.15 > 10.0.2.2: ICMP echo request, id 261, seq 0, length 64'],
    [
      OTHERS['an answer with another name']!,
      /53: |1025: DNS 4660 AAAA\? www.example.org: relay.example.org, 93.184.216.34/,
    ],
    [OTHERS['nobody at a port']!, 'IP 10.0.2.15 > 10.0.2.3: ICMP 10.0.2.3.10 port unreachable'],
    [OTHERS['what is asked for over HTTP']!, /length 37: HTTP: GET \/index.html HTTP\/1.1$/],
    [new Uint8Array(0), 'a frame of 0 bytes [cut off or malformed: eth: 0 of its 14 bytes]'],
    [new Uint8Array(13), 'a frame of 13 bytes [cut off or malformed: eth: 13 of its 14 bytes]'],
    [captured('virtio-net')[8]!.subarray(0, 60), /DHCP|UDP.*\[cut off or malformed: ip: 46 of its 328 bytes\]/],
  ])('%#', (frame, text) => {
    expect(summary(dissect(frame))).toMatch(text);
  });

  test('comes of any bytes at once', () => {
    const seeds = [...captured('virtio-net'), ...Object.values(OTHERS), new Uint8Array(70_000), new Uint8Array(65_535)];
    const draw = chance(12);
    const conversations = new Conversations();
    const cases = casesOf('RETROVISOR_FRAMES', { whole: 200_000, quick: 10_000 });
    for (let each = 0; each < cases; each += 1) {
      const frame = Uint8Array.from(seeds[draw(seeds.length)]!.subarray(0, draw(8) === 0 ? draw(200) : 70_000));
      for (let changed = draw(6); changed > 0 && frame.length > 0; changed -= 1) {
        // Lengths and counts lie in the first bytes.
        frame[draw(Math.min(frame.length, 300))] = [0, 1, 0x3f, 0xc0, 0xff, draw(256)][draw(6)]!;
      }
      const d = dissect(frame);
      conversations.next(d);
      expect(summary(d).length).toBeLessThan(20_000);
      expect([...d.fields.values()].flat().length).toBeLessThan(20_000);
    }
  });
});
