import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import { openTrace, record, replay, rerun } from '../../../src/api/index.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { pack, unpack } from '../../../src/cli/pack.ts';
import { diskInPack } from '../../../src/host/pack/disk-pieces.ts';
import { NODE } from '../../../src/host/node.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { fold } from '../../../src/replay/fold.ts';
import { endOf } from '../../../src/replay/places.ts';
import { inOrder } from '../../../src/replay/trace/in-order.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { forkRun } from '../../../src/runs/forks/fork-run.ts';
import { configurationOf, readDescription } from '../../../src/runs/machine/machine-description.ts';
import { indexTrace } from '../../../src/runs/recorded/index-trace.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';
import { blockGuest, installBlockPorts, roundsOf } from './block-ports.ts';

const folder = scratchFolder();
const TRACE = join(folder, 'disk.trace');
const IMAGE = join(folder, 'disk.raw');
const GIGABYTE = 2 ** 30;
const ROUNDS = 20;
/** Sectors between two writes, and no whole pages. */
const STRIDE = 1_040_613;
const BLOCK = 2 ** 16;

/** A sparse file of 10 GB with a byte of our own in it. */
function makeImage(path: string, byte: number, at: number): void {
  const file = openSync(path, 'w+');
  ftruncateSync(file, 10 * GIGABYTE);
  writeSync(file, Uint8Array.of(byte), 0, 1, at);
  closeSync(file);
}

const at = (round: number): number => round * STRIDE * 512;

describe('a disk of 10 GB', LONG, () => {
  let remove: () => void;
  let events: readonly Stamped[] = [];

  beforeAll(async () => {
    remove = installBlockPorts();
    makeImage(IMAGE, 0x42, at(7) + 8 * 512);
    const kernel = join(folder, 'rounds.bin');
    writeFileSync(kernel, blockGuest(roundsOf(ROUNDS, STRIDE)));
    const devices = ['isa-debug-exit,iobase=0xf4,iosize=4', 'pc-testdev,drive=d0'];
    const drives = [`file=${IMAGE},if=none,id=d0,format=raw`];
    const ran = await record({ kernel, devices, drives, memory: 4, wallClock: 1_700_000_000, trace: TRACE });
    expect(ran).toMatchObject({
      status: 1,
      console: String.fromCharCode(...Array.from({ length: ROUNDS }, (_, n) => ROUNDS - n)),
    });
    events = readAll(openTraceFile(TRACE)).events;
  });

  afterAll(() => remove());

  const ofKind = (kind: string): readonly Stamped[] => events.filter(({ event }) => event.kind === kind);

  test('requests are facts with their causes, and take the time that they cost', () => {
    const submitted = ofKind('sim:disk_submitted');
    const completed = ofKind('sim:disk_completed');
    expect(submitted.length).toBe(3 * ROUNDS);
    expect(completed.map(({ cause, source }) => [cause, source])).toEqual(submitted.map(({ seq }) => [seq, 0]));
    for (const { cause } of submitted) expect(events[cause!]!.event.kind).toBe('memory_region_ops_write');
    const trace = openTrace(TRACE);
    const [first] = submitted;
    expect(trace.at(first!).state.vmm.drives['d0']).toMatchObject({ inFlight: [{ op: 'write', length: 4096 }] });
    expect(trace.at(events.at(-1)!).state.vmm.drives['d0']).toEqual({
      ...{ inFlight: [], done: { read: ROUNDS, write: ROUNDS, flush: ROUNDS }, failed: 0, unflushed: 0 },
      ...{ bytesRead: ROUNDS * 9 * 512, bytesWritten: ROUNDS * 4096 },
    });
    trace.close();
  });

  test('the run replays, folds and is run again without an image or a processor', async () => {
    expect(await replay(TRACE)).toMatchObject({ divergence: undefined, agreed: events.length });
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const alone = join(elsewhere, 'alone.trace');
    copyFileSync(TRACE, alone);
    expect(await rerun(alone)).toMatchObject({ divergence: undefined, agreed: events.length });
    const file = openTraceFile(alone);
    const folded = fold(inOrder(file), configurationOf(readDescription(file.header.machine, alone)));
    expect(folded).toMatchObject({ events: events.length, difference: undefined });
    expect(file.blocks().length).toBeGreaterThanOrEqual(ROUNDS);
    file.close();
  });

  test('what was written is there before and after a seek, from checkpoints held and stored', () => {
    const run = openRecordedRun(NODE, TRACE, {});
    const { timeline, verifier } = openTimeline(run, { every: 200 });
    const writes = ofKind('sim:disk_written');
    const middle = writes[ROUNDS / 2]!;
    const word = (round: number): number => {
      const bytes = new Uint8Array(4);
      timeline.machine.vmm.drives!.get('d0')!.bytes.read(at(round), bytes);
      return new DataView(bytes.buffer).getUint32(0, true);
    };
    for (const place of [endOf(events), middle, writes[1]!, middle, endOf(events)]) timeline.seek(place);
    expect([word(1), word(ROUNDS)]).toEqual([1, ROUNDS]);
    timeline.seek(middle);
    expect([word(1), word(ROUNDS)]).toEqual([0, ROUNDS]);
    expect(timeline.checkpoints.length).toBeGreaterThan(2);
    expect(finish(indexTrace(run, 2000)).checkpoints).toBeGreaterThan(0);
    const problems: string[] = [];
    const stored = openTimeline(run, { every: 1 << 20, onStoredProblem: (sentence) => problems.push(sentence) });
    stored.timeline.seek(middle);
    stored.timeline.seek(endOf(events));
    expect([verifier.divergence, stored.verifier.divergence, ...problems]).toEqual([undefined, undefined]);
    run.trace.close();
  });

  describe('an image', () => {
    test('that has moved is found by the blocks that were read', async () => {
      const moved = join(folder, 'moved');
      mkdirSync(moved);
      copyFileSync(TRACE, join(moved, 'run.trace'));
      copyFileSync(join(folder, 'rounds.bin'), join(moved, 'rounds.bin'));
      makeImage(join(moved, 'another.raw'), 0x43, at(7) + 8 * 512);
      makeImage(join(moved, 'same.raw'), 0x42, at(7) + 8 * 512);
      const run = openRecordedRun(NODE, join(moved, 'run.trace'), { image: [moved] });
      run.trace.close();
    });

    test('that is another is refused at the first block that differs', async () => {
      makeImage(IMAGE, 0x43, at(7) + 8 * 512);
      const block = Math.floor((at(7) + 8 * 512) / BLOCK) * BLOCK;
      await expect(replay(TRACE)).rejects.toThrow(
        `1 of 1 disk images of ${TRACE} is missing: that of d0, disk.raw (${10 * GIGABYTE} bytes): ` +
          `${IMAGE} is not what d0 was recorded with: its block at offset ${block} differs.`,
      );
      // What nobody read may differ.
      makeImage(IMAGE, 0x42, at(7) + 8 * 512);
      const file = openSync(IMAGE, 'r+');
      writeSync(file, Uint8Array.of(1), 0, 1, 9 * GIGABYTE + 7);
      closeSync(file);
      expect(await replay(TRACE)).toMatchObject({ divergence: undefined, agreed: events.length });
    });

    test('is in a pack as far as it was read, and comes out of it with holes', async () => {
      const file = `${TRACE}.pack`;
      const lines: string[] = [];
      const print = (text: string): void => void lines.push(text);
      pack(TRACE, { output: file }, print);
      expect(statSync(file).size).toBeLessThan(statSync(TRACE).size + ROUNDS * BLOCK);
      pack(file, { describe: true }, print);
      const read = openTraceFile(TRACE).blocks().length * BLOCK;
      expect(lines.filter((text) => text.includes('of a disk'))).toEqual([
        expect.stringMatching(`^disk\\.raw  ${read} bytes \\(\\d+ packed\\), what the run read of a disk$`),
      ]);
      const hidden = `${IMAGE}.hidden`;
      renameSync(IMAGE, hidden);
      expect(await replay(file)).toMatchObject({ divergence: undefined, agreed: events.length });
      const unpacked = join(folder, 'unpacked');
      unpack(file, unpacked, false, print);
      expect(statSync(join(unpacked, 'disk.raw')).size).toBe(10 * GIGABYTE);
      expect(await replay(join(unpacked, 'disk.trace'))).toMatchObject({
        divergence: undefined,
        agreed: events.length,
      });
      rmSync(join(unpacked, 'disk.raw'));
      await expect(replay(join(unpacked, 'disk.trace'))).rejects.toThrow(`it is not at ${IMAGE}`);
      const image = diskInPack(file, 0, 'disk.raw')!;
      expect(() => image.block(5)).toThrow(
        `holds of disk.raw what the recorded run read, and not its block at offset ${5 * BLOCK}`,
      );
      renameSync(hidden, IMAGE);
    });

    test('goes with a fork', async () => {
      const trace = join(folder, 'fork.trace');
      const run = openRecordedRun(NODE, TRACE, {});
      const place = String(ofKind('sim:disk_written')[ROUNDS / 2]!.tick);
      forkRun({ run, place, changes: [], said: 'nothing', trace, ticks: undefined, onSerial: () => undefined });
      run.trace.close();
      expect(openTraceFile(trace).blocks().length).toBe(openTraceFile(TRACE).blocks().length);
      expect((await replay(trace)).divergence).toBeUndefined();
    });
  });
});
