import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTrace, record, replay, rerun } from '../../../src/api/index.ts';
import { debugPorts } from '../../../src/devices/debug-ports/index.ts';
import type { Effects } from '../../../src/devices/device.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { PAGE_SIZE } from '../../../src/memory/pages.ts';
import { SparseBytes } from '../../../src/memory/sparse.ts';
import { fold } from '../../../src/replay/fold.ts';
import { inOrder } from '../../../src/replay/trace/in-order.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { configurationOf, readDescription } from '../../../src/runs/machine/machine-description.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { AT, dmaGuest } from './dma-guest.ts';

const folder = scratchFolder();
const TRACE = join(folder, 'dma.trace');
const ROUNDS = 50;
let recorded: SparseBytes;
let events: readonly Stamped[] = [];

/** What the device of the run under way has stored. */
let disk: SparseBytes;

const emptyDisk = (): SparseBytes => new SparseBytes('disk', 256 * PAGE_SIZE, { read: (_at, into) => into.fill(0) });

const wordAt = (effects: Effects, gpa: number): number =>
  new DataView(effects.dmaRead(gpa, 4).buffer).getInt32(0, true);

/** Follow a chain in guest memory, store its values behind it, and the chain itself on a disk. */
function followChain(effects: Effects): void {
  const values = effects.transaction(() => {
    const found: number[] = [];
    for (let node: number = AT.chain; node !== 0; node = wordAt(effects, node)) found.push(wordAt(effects, node + 4));
    return found;
  });
  effects.dmaWrite(AT.answer, Uint8Array.from(values));
  disk.write(values.at(-1)! * PAGE_SIZE, effects.payload(AT.chain, 24));
}

/** What a device of its own at port 0x80 would do when it is written to. */
const device: { write?: NonNullable<typeof debugPorts.write> } = debugPorts;

function does(what: (effects: Effects) => void): void {
  device.write = (_state, _region, _offset, _size, _value, effects) => {
    effects.commit();
    what(effects);
  };
}

beforeAll(async () => {
  does(followChain);
  disk = emptyDisk();
  const kernel = join(folder, 'dma.bin');
  writeFileSync(kernel, dmaGuest());
  const devices = ['isa-debug-exit,iobase=0xf4,iosize=4'];
  const run = { kernel, devices, memory: 4, wallClock: 1_700_000_000, trace: TRACE } as const;
  const { console: printed } = await record(run);
  expect(printed).toBe(Array.from({ length: ROUNDS }, (_, i) => `Q${String.fromCharCode(0x44 + i)}`).join(''));
  recorded = disk;
  events = readAll(openTraceFile(TRACE)).events;
});

afterAll(() => delete device.write);

const chainAt = (region: SparseBytes, value: number): number[] => {
  const bytes = new Uint8Array(24);
  region.read(value * PAGE_SIZE, bytes);
  return [...new Uint32Array(bytes.buffer)];
};

test('all that a device reads in a transaction is one fact', () => {
  const gathered = events.flatMap(({ event }) => (event.kind === 'sim:dma_gathered' ? [event] : []));
  const of = (model: RegExp) => gathered.filter(({ dev }) => model.test(dev));
  expect(of(/fw/).map(({ bytes }) => bytes.length)).toEqual(new Array(ROUNDS).fill(16));
  const chains = of(/debug-ports/).map(({ bytes }) => [...new Uint32Array(bytes.slice().buffer)]);
  const [second, third] = [AT.chain + 16, AT.chain + 8];
  expect(chains[0]).toEqual([0x41, second, 0x42, third, 0x44, 0]);
  expect(chains.length).toBe(ROUNDS);
});

test('what it only moves is in no fact: its digest is', () => {
  const moved = events.flatMap(({ event }) => (event.kind === 'sim:dma' && event.dir === 'read' ? [event] : []));
  expect(moved.map(({ gpa, len }) => [gpa, len])).toEqual(new Array(ROUNDS).fill([AT.chain, 24]));
  expect(new Set(moved.map(({ digest }) => digest)).size).toBe(ROUNDS);
  expect(events.filter(({ event, tick }) => event.kind === 'sim:memory_read' && tick > 0)).toEqual([]);
  expect(chainAt(recorded, 0x43 + ROUNDS)).toEqual([AT.chain + 16, 0x41, 0, 0x43 + ROUNDS, AT.chain + 8, 0x42]);
});

test('the run comes out the same again, with and without a processor, and folds to its states', async () => {
  disk = emptyDisk();
  expect(await replay(TRACE)).toMatchObject({ divergence: undefined, agreed: events.length });
  for (let value = 0; value < 256; value += 1) expect(chainAt(disk, value)).toEqual(chainAt(recorded, value));
  disk = emptyDisk();
  expect(await rerun(TRACE)).toMatchObject({ divergence: undefined, agreed: events.length });
  // A rerun knows where, and not what.
  expect(chainAt(disk, 0x43 + ROUNDS)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(disk.takeDirty()).toEqual(recorded.takeDirty());
  const file = openTraceFile(TRACE);
  const folded = fold(inOrder(file), configurationOf(readDescription(file.header.machine, TRACE)));
  expect(folded).toMatchObject({ events: events.length, difference: undefined });
  file.close();
});

test('from a place in the middle it goes on as it did', () => {
  const trace = openTrace(TRACE);
  const reads = events.filter(({ event }) => event.kind === 'sim:dma_gathered');
  const middle = reads[ROUNDS]!;
  const there = trace.at(middle);
  expect(there.memory(AT.chain + 12, 1)).toEqual(Uint8Array.of(0x43 + ROUNDS / 2));
  trace.close();
});

test('a rerun that reads something else is told where', async () => {
  does((effects) => effects.dmaRead(AT.chain, 64));
  const { divergence } = await rerun(TRACE);
  expect(divergence).toContain('sim:dma_gathered');
});
