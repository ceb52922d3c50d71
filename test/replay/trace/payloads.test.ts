import { inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Problem } from '../../../src/base/problem.ts';
import { CHUNK, CHUNK_HEADER_LENGTH, encodeChunkHeader, headerCrc } from '../../../src/replay/trace/chunk.ts';
import { crc32 } from '../../../src/base/crc32.ts';
import { openTrace, readAll, type TraceReader } from '../../../src/replay/trace/reader.ts';
import { chance, MUTATIONS } from './mutated.ts';
import { deflate, noise, sha256, traceWith } from './sample.ts';

interface Opened {
  readonly trace: TraceReader;
  /** Bytes read so far: where from and how many. */
  readonly reads: (readonly [offset: number, length: number])[];
}

function open(bytes: Uint8Array): Opened {
  const reads: [number, number][] = [];
  const read = (offset: number, length: number): Uint8Array => {
    reads.push([offset, length]);
    return bytes.subarray(offset, offset + length);
  };
  const inflate = (stored: Uint8Array, rawLength: number): Uint8Array =>
    new Uint8Array(inflateRawSync(stored, { maxOutputLength: rawLength }));
  return { trace: openTrace({ name: 'some.trace', size: bytes.length, read }, inflate), reads };
}

/** Small ones that share a chunk, ones that fill several, and none at all. */
const PAYLOADS = [
  ...Array.from({ length: 40 }, (_, at) => noise(60 + at, at + 1)),
  ...[3_000_000, 600_000, 600_000].map((length, at) => noise(length, 100 + at)),
  new Uint8Array(0),
  new Uint8Array(500_000),
];
const WRITTEN = traceWith(PAYLOADS);
const SHORT = traceWith(PAYLOADS.slice(0, 20));

const messageOf = (read: () => unknown): string => {
  try {
    read();
    return 'read';
  } catch (problem) {
    if (problem instanceof Problem) return problem.message;
    throw problem;
  }
};

describe('payloads of a trace', () => {
  test('are there, each once, in the order in which they came', () => {
    const { trace } = open(WRITTEN.bytes);
    const list = trace.payloads.list();
    expect(list.map((each) => each.sha256)).toEqual(PAYLOADS.map(sha256));
    for (const payload of PAYLOADS) {
      expect(Buffer.compare(trace.payloads.payload(sha256(payload), sha256), payload)).toBe(0);
    }
    expect(WRITTEN.bytes.length).toBeLessThan(PAYLOADS.reduce((sum, { length }) => sum + length, 0));
    const chunks = new Set(list.map(({ chunk }) => chunk.ordinal));
    expect([...chunks]).toHaveLength(5);
  });

  test('lie before the first event that names them', () => {
    const { trace } = open(WRITTEN.bytes);
    for (const { sha256: name, chunk } of trace.payloads.list()) {
      const first = WRITTEN.events.findIndex(({ event }) => 'sha256' in event && event.sha256 === name);
      const events = trace.chunks.find(({ firstSeq, events: count }) => first < firstSeq + count);
      expect(chunk.offset).toBeLessThan(events!.offset);
    }
  });

  test('are not read by who wants events, and their lists by who wants none of them', () => {
    const { trace, reads } = open(WRITTEN.bytes);
    expect(readAll(trace)).toEqual({ events: WRITTEN.events, damage: undefined });
    const before = reads.splice(0);
    const list = trace.payloads.list();
    expect(before.concat(reads).every(([, length]) => length < 200_000)).toBe(true);
    const touched = (places: Opened['reads']): boolean =>
      list.some(({ chunk }) => places.some(([at, length]) => at <= chunk.offset && chunk.offset < at + length));
    expect([touched(before), touched(reads)]).toEqual([false, false]);
    reads.length = 0;
    trace.payloads.payload(list[41]!.sha256, sha256);
    expect(touched(reads)).toBe(true);
  });

  test('are found without an index, as far as the trace goes', () => {
    const { trace } = open(WRITTEN.bytes);
    const last = trace.payloads.list().at(-1)!;
    const cut = WRITTEN.bytes.subarray(0, last.chunk.offset + 1000);
    const { payloads, damage } = open(cut).trace;
    expect(payloads.payload(sha256(PAYLOADS[0]!), sha256)).toEqual(PAYLOADS[0]);
    const sentence = `some.trace is cut off at byte ${cut.length}: chunk ${last.chunk.ordinal} is incomplete`;
    expect(damage).toContain(sentence);
    const why = messageOf(() => payloads.payload(last.sha256, sha256));
    expect(why).toContain(`The payload ${last.sha256} cannot be read: ${sentence}`);
  });

  test('that were never there are missed by name', () => {
    const name = sha256(Uint8Array.of(1));
    const { payloads } = open(WRITTEN.bytes).trace;
    expect(messageOf(() => payloads.payload(name, sha256))).toBe(
      `The payload ${name} cannot be read: some.trace ends at byte ${WRITTEN.bytes.length} and does not hold it.`,
    );
  });

  test('come whole or with a sentence out of whatever a trace was changed to', () => {
    const { bytes, payloads } = SHORT;
    let whole = 0;
    let refused = 0;
    for (const [at, mutate] of Object.values(MUTATIONS).entries()) {
      for (let seed = 1; seed <= 20; seed += 1) {
        const mutated = mutate(bytes, chance(at * 1000 + seed));
        const said = messageOf(() => {
          const { trace } = open(mutated);
          for (const payload of payloads) {
            expect(Buffer.compare(trace.payloads.payload(sha256(payload), sha256), payload)).toBe(0);
          }
        });
        if (said === 'read') whole += 1;
        else refused += 1;
      }
    }
    expect(whole).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });
});

/** A trace of a header chunk and two chunks of payloads with right checksums, whatever they hold. */
function made(list: Uint8Array, content: { readonly stored: Uint8Array; readonly rawLength: number }): Uint8Array {
  const head = headOf(SHORT.bytes);
  const pieces = [head];
  let previousCrc = headerCrc(head.subarray(16));
  [
    { kind: CHUNK.payloadList, stored: list, rawLength: list.length },
    { kind: CHUNK.payloads, ...content },
  ].forEach(({ kind, stored, rawLength }, at) => {
    const compression = stored.length === rawLength ? 0 : 1;
    const extent = { events: 0, firstSeq: 0, firstTick: 0, lastTick: 0, storedLength: stored.length, rawLength };
    const header = encodeChunkHeader({
      ...{ kind, compression, ordinal: at + 1, payloadCrc: crc32(stored), previousCrc, ...extent },
    });
    previousCrc = headerCrc(header);
    pieces.push(header, stored);
  });
  return Buffer.concat(pieces);
}

/** Preamble and header chunk. */
function headOf(bytes: Uint8Array): Uint8Array {
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(16 + 12, true);
  return bytes.subarray(0, 16 + CHUNK_HEADER_LENGTH + stored);
}

const NAMED = new Uint8Array(32).fill(0xab);
const NAME = 'ab'.repeat(32);
const VARINT_MOST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
const stored = (bytes: Uint8Array) => ({ stored: bytes, rawLength: bytes.length });
const listOf = (...lengths: readonly number[]): Uint8Array => Uint8Array.of(...NAMED, ...lengths);

describe('a trace that lies about its payloads', () => {
  const said = (list: Uint8Array, content: { readonly stored: Uint8Array; readonly rawLength: number }): string =>
    messageOf(() => open(made(list, content)).trace.payloads.payload(NAME, sha256));

  test.each([
    ['a length beyond all bounds', listOf(...VARINT_MOST), 'it holds a list of more than 16777216 bytes of payloads'],
    ['more than there is', listOf(9), 'it holds 8 bytes of payloads, and lists 9'],
    ['less than there is', listOf(7), 'it holds 8 bytes of payloads, and lists 7'],
    ['a name that ends early', NAMED.subarray(0, 20), 'the list ends in the middle of a field'],
    ['a name without a length', NAMED, 'the list ends in the middle of a number'],
    ['a name of other bytes', listOf(8), `what it holds there has the SHA-256 ${sha256(new Uint8Array(8))}`],
  ])('by %s gets a sentence', (_, list, sentence) => {
    const message = said(list, stored(new Uint8Array(8)));
    expect(message).toMatch(/^The payload (ab){32} cannot be read: some.trace is damaged in chunk \d \(byte \d+\): /);
    expect(message).toContain(sentence);
  });

  test('by more bytes than a payload may have is not inflated', () => {
    const huge = deflate(new Uint8Array(2 ** 24 + 1));
    expect(said(listOf(8), { stored: huge, rawLength: 2 ** 24 + 1 })).toMatch(
      new RegExp(`^The payload ${NAME} cannot be read: some.trace is damaged in chunk 2 \\(byte \\d+\\)`),
    );
  });

  test('by a list without end is not read', () => {
    const most = Math.floor(2 ** 18 / 33);
    const names = Uint8Array.from({ length: 33 * (most + 1) }, (_, at) => listOf(0)[at % 33]!);
    const listed = (length: number) =>
      open(made(names.subarray(0, 33 * length), stored(new Uint8Array(0)))).trace.payloads.list();
    expect(listed(most)).toHaveLength(1);
    expect(listed(most + 1)).toEqual([]);
  });
});
