import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { readCapture } from '../../src/packets/capture-file.ts';
import { pcapHead } from '../../src/packets/pcap.ts';
import type { DumpOption } from '../../src/runs/machine/run-options.ts';
import { Dumped } from '../../src/runs/underway/dumped.ts';
import { scratchFolder } from '../guests/command-line.ts';

const folder = scratchFolder();
/** Near enough to 1970 that nanoseconds since then are whole numbers. */
const WALL_CLOCK = 1_000_000_123_456_789n;
const PACE = { nsPerTick: 8, costs: {} as never };
const NET = [
  { name: 'n0', type: 'user', part: 'user#0', peer: 'h0' },
  { name: 'h0', type: 'hubport', hub: 1, peer: 'n0' },
  { name: 'h1', type: 'hubport', hub: 1, peer: 'nic' },
  { name: 'n1', type: 'user', part: 'user#3', peer: 'other' },
  { name: 'nic', type: 'nic', part: 'e1000#0', peer: 'h1' },
  { name: 'other', type: 'nic', part: 'e1000#1', peer: 'n1' },
];

const frame = (byte: number): Uint8Array => new Uint8Array(70).fill(byte);
const sent = (client: string, packet: number): MachineEvent => ({
  ...{ kind: 'sim:packet_sent', client, packet, bytes: frame(packet), due: 0, header: new Uint8Array(0) },
});

/** What a dump of these events holds: the first byte of each packet, and when. */
function dumped(events: readonly MachineEvent[], option: Partial<DumpOption> = {}) {
  const pieces: Uint8Array[] = [];
  const dump = { id: 'f', netdev: 'n0', path: 'f.pcap', queue: 'all' as const, most: 65_536, ...option };
  const reader = new Dumped(
    { ...PACE, net: NET, wallClock: WALL_CLOCK },
    [dump],
    (_, bytes) => void pieces.push(bytes),
  );
  for (const [seq, event] of events.entries()) {
    reader.next({ seq, tick: 125_000 * seq, source: 0, cause: undefined, within: undefined, event } as Stamped);
  }
  reader.flush();
  const file = join(folder, 'dump.pcap');
  const bytes = Buffer.concat(pieces);
  writeFileSync(file, bytes);
  return readCapture(file, new Uint8Array(bytes)).map(({ ns, bytes: [first], bytes: { length } }) => ({
    first,
    length,
    ns,
  }));
}

test('a dump has what passes a backend, both ways, at virtual times', () => {
  const through = (packet: number, from: string): MachineEvent[] => [
    sent(from === 'h1' ? 'nic' : 'n0', packet),
    { kind: 'sim:packet_forwarded', client: from, packet, hub: 1, len: 70 },
  ];
  const found = dumped([...through(1, 'h1'), ...through(2, 'h0'), sent('other', 3), sent('n1', 4)]);
  // What the NIC sends passes it where the hub hands it on: a millisecond later.
  expect(found.map(({ first }) => first)).toEqual([1, 2]);
  expect(found[1]!.ns - found[0]!.ns).toBe(1_000_000);
  expect(found[0]!.ns % 1e9).toBe(124_456_000);
});

test('of a direct wire, and of one way', () => {
  const events = [sent('other', 1), sent('n1', 2), sent('other', 3)];
  const firsts = (option: Partial<DumpOption>) => dumped(events, { netdev: 'n1', ...option }).map(({ first }) => first);
  expect(firsts({})).toEqual([1, 2, 3]);
  expect(firsts({ queue: 'rx' })).toEqual([1, 3]);
  expect(firsts({ queue: 'tx' })).toEqual([2]);
});

test('not what came no further than its sender, but what was lost beyond', () => {
  const lost = (client: string, packet: number): MachineEvent => ({
    kind: 'sim:packet_dropped',
    client,
    packet,
    why: 'x',
  });
  const events = [sent('other', 1), lost('other', 1), sent('other', 2), lost('n1', 2), sent('n1', 3)];
  expect(dumped(events, { netdev: 'n1' }).map(({ first }) => first)).toEqual([2, 3]);
});

test('has the first bytes where no more are wanted', () => {
  expect(dumped([sent('n1', 9)], { netdev: 'n1', most: 14 })).toMatchObject([{ first: 9, length: 14 }]);
});

test('begins as one QEMU 7.2 writes', () => {
  const head = 'd4c3b2a1 0200 0400 00000000 00000000 00000100 01000000';
  expect(Buffer.from(pcapHead(65_536)).toString('hex')).toBe(head.replaceAll(' ', ''));
});
