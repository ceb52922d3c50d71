import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dissect } from '../../../src/packets/dissect/dissect.ts';
import { OWN_FIELDS, PACKET_NAMES } from '../../../src/packets/dissect/fields-table.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { tool, without } from '../../stepping-aside.ts';
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
