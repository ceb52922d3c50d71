import { describe, expect, test } from 'vitest';
import type { BlockDigest } from '../../../src/block/read-blocks.ts';
import { BLOCKS_PER_LIST } from '../../../src/replay/trace/block-chunks.ts';
import { openTrace, readAll } from '../../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../../src/replay/trace/writer.ts';
import { deflate, inflate, memorySink, sampleEvents, sha256, sourceOf, SUBJECT } from './sample.ts';

const block = (at: number): BlockDigest => ({
  file: at % 3,
  block: at * 7,
  sha256: sha256(Uint8Array.of(at, at >> 8)),
});

const opened = (bytes: Uint8Array) => openTrace(sourceOf(bytes), inflate, { acceptCut: true });

describe('the image blocks a run read', () => {
  test('are in the trace before the events that follow from them, wherever that was cut', () => {
    const blocks: BlockDigest[] = [];
    const sink = memorySink();
    const writer = createTraceWriter(sink, deflate, SUBJECT, { blocks });
    const events = sampleEvents(5000);
    for (const [at, stamped] of events.entries()) {
      if (at % 10 === 0) blocks.push(block(at));
      writer.append(stamped);
      if (at % 1000 === 999) writer.flush();
    }
    writer.close();
    const whole = sink.bytes();
    expect(opened(whole).blocks()).toEqual(blocks);
    let cuts = 0;
    for (let size = whole.length; size > 8000; size -= 997) {
      const cut = opened(whole.subarray(0, size));
      const read = readAll(cut).events.length;
      expect(cut.blocks().length).toBeGreaterThanOrEqual(read / 10);
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(20);
  });

  test('are in as many lists as that takes', () => {
    const blocks = Array.from({ length: 2 * BLOCKS_PER_LIST + 5 }, (_, at) => block(at));
    const sink = memorySink();
    const writer = createTraceWriter(sink, deflate, SUBJECT, { blocks });
    writer.append(sampleEvents(1)[0]!);
    writer.close();
    expect(opened(sink.bytes()).blocks()).toEqual(blocks);
  });

  test('are never more than a trace can hold', () => {
    const blocks = Array.from({ length: BLOCKS_PER_LIST }, (_, at) => ({ ...block(at), sha256: '00'.repeat(32) }));
    const sink = memorySink();
    const writer = createTraceWriter(sink, deflate, SUBJECT, { blocks });
    writer.append(sampleEvents(1)[0]!);
    writer.close();
    expect(() => opened(sink.bytes()).blocks()).toThrow(/^run\.trace is damaged in chunk 1 .*more blocks than a trace/);
  });
});
