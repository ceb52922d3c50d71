import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../../src/base/byte-reader.ts';
import { byteWriter, unzigzag, writeVarint, written, zigzag } from '../../../src/replay/trace/bytes.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { EventOf, MachineEvent } from '../../../src/events/vocabulary.ts';
import { crc32 } from '../../../src/base/crc32.ts';
import { readEnvelope } from '../../../src/replay/trace/envelope.ts';
import { readEvents } from '../../../src/replay/trace/event-batch.ts';
import { type KindTable, kindTable } from '../../../src/replay/trace/event-columns.ts';
import { currentVocabulary } from '../../../src/replay/trace/header.ts';
import { HeldEvents } from '../../../src/replay/trace/held-events.ts';
import { readIntegers, writeIntegers } from '../../../src/replay/trace/integers.ts';
import { chunkOf, openTrace, readAll } from '../../../src/replay/trace/reader.ts';
import { writeEvents } from '../../../src/replay/trace/write-events.ts';
import { createTraceWriter, EVENTS_PER_CHUNK } from '../../../src/replay/trace/writer.ts';
import { IS_WHOLE } from '../../how-long.ts';
import { anyEvent } from './any-event.ts';
import { deflate, inflate, isBeginningOf, memorySink, SUBJECT, sampleEvents, sourceOf, traceOf } from './sample.ts';

const LAYOUT = { readEnvelope, hasCounts: false, hasShortBytes: true };
const LINES: ReadonlySet<string> = new Set(['kvm_set_irq', 'kvm_pic_set_irq', 'kvm_ioapic_set_irq']);

/** Events as they wait to be written. */
function heldOf(events: readonly Stamped[], kinds: KindTable): HeldEvents {
  const held = new HeldEvents(kinds, events.length);
  for (const stamped of events) held.take(stamped);
  return held;
}

/** What a guest's writes to a serial line come to: each has four changes of an interrupt line that change nothing. */
function serialOutput(count: number): Stamped[] {
  const line: readonly MachineEvent[] = [
    { kind: 'kvm_set_irq', gsi: 4, level: 0, irq_source_id: 0 },
    { kind: 'kvm_pic_set_irq', chip: 0, pin: 4, elcr: 0, imr: 255, coalesced: false },
    { kind: 'kvm_ioapic_set_irq', e: 0x10000n, pin: 4, coalesced: false },
  ];
  const write = (i: number): readonly MachineEvent[] => {
    const byte = (i * i * 7 + i * 13) % 251;
    return [
      { ...(sampleEvents(2)[0]!.event as EventOf<'kvm_exit'>), ticks: 35, a0: BigInt(byte), guest_rip: 0x2276n },
      { kind: 'kvm_pio', rw: 1, port: 0x3f8, size: 1, count: 1, val: byte, data: new Uint8Array(0) },
      { kind: 'memory_region_ops_write', cpu_index: 0, mr: 209, addr: 0x3f8, value: byte, size: 1, name: 'serial' },
      ...[...line, ...line],
      { kind: 'sim:serial_sent', line: 0, byte },
      ...[...line, ...line],
    ];
  };
  return Array.from({ length: count }, (_, i) => write(i)).flatMap((events, group) =>
    events.map((event, at) => {
      const first = group * events.length;
      const links = { cause: at === 0 ? undefined : first, within: at === 0 ? undefined : first };
      return { seq: first + at, tick: 1000 + group * 35, source: 16, ...links, event };
    }),
  );
}

describe('columns', () => {
  test('every integer of 53 bits survives as a varint', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const out = byteWriter(1);
        writeVarint(out, value);
        expect(new ByteReader(out.bytes.subarray(0, out.length), 'it').varint()).toBe(value);
      }),
    );
    for (const value of [-3, -1, 0, 1, 2 ** 40, -(2 ** 40)]) expect(unzigzag(zigzag(value))).toBe(value);
  });

  test('a column of any integers reads back equal', () => {
    const mixed = fc.oneof(fc.maxSafeNat(), fc.integer({ min: -(2 ** 51), max: 100 }), fc.nat(5));
    fc.assert(
      fc.property(fc.array(mixed, { minLength: 1, maxLength: 60 }), (numbers) => {
        const spread = Math.max(...numbers) - Math.min(...numbers);
        fc.pre(Number.isSafeInteger(spread));
        const out = byteWriter(1);
        writeIntegers(out, Float64Array.from(numbers), numbers.length);
        const values = new Float64Array(numbers.length);
        readIntegers(new ByteReader(out.bytes.subarray(0, out.length), 'it'), values, numbers.length);
        expect([...values]).toEqual(numbers);
      }),
    );
  });

  test('a column that goes on as it did before reads back equal', () => {
    const pattern = fc.array(fc.oneof(fc.nat(3), fc.maxSafeNat()), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(pattern, fc.array(fc.tuple(fc.nat(40), fc.nat(300)), { maxLength: 6 }), (unit, strangers) => {
        const numbers = Array.from({ length: 1000 }, (_, i) => unit[i % unit.length]!);
        for (const [at, value] of strangers) numbers[at * 20] = value;
        const out = byteWriter(1);
        writeIntegers(out, Float64Array.from(numbers), numbers.length);
        const values = new Float64Array(numbers.length);
        readIntegers(new ByteReader(out.bytes.subarray(0, out.length), 'it'), values, numbers.length);
        expect([...values]).toEqual(numbers);
      }),
    );
  });

  test('a column that goes on as it did before costs what is new in it', () => {
    const numbers = Float64Array.from({ length: 4000 }, (_, i) => [1, 2 ** 40, 1, 1, 77][i % 5]!);
    const out = byteWriter(1);
    writeIntegers(out, numbers, numbers.length);
    expect(out.length).toBeLessThan(50);
    numbers[2000] = 5;
    out.length = 0;
    writeIntegers(out, numbers, numbers.length);
    expect(out.length).toBeLessThan(250);
  });

  test('lines that stay as they are cost next to nothing, and a byte told five times is written once', () => {
    const { batch, kinds } = { batch: serialOutput(200), kinds: kindTable(currentVocabulary()) };
    const out = byteWriter(1);
    writeEvents(out, heldOf(batch, kinds), kinds);
    const payload = out.bytes.slice(0, out.length);
    const read = readEvents(payload, { events: batch.length, firstSeq: 0 }, kinds, LAYOUT);
    expect(batch.map((_, index) => read.at(index))).toEqual(batch);
    const [lines, silent] = [serialOutput(200), serialOutput(200).filter(({ event }) => !LINES.has(event.kind))];
    const sizeOf = (events: readonly Stamped[]): number => {
      const sized = byteWriter(1);
      writeEvents(
        sized,
        heldOf(
          events.map((each, seq) => ({ ...each, seq, cause: undefined, within: undefined })),
          kinds,
        ),
        kinds,
      );
      return sized.length;
    };
    expect(lines.length - silent.length).toBe(2400);
    expect(sizeOf(lines) - sizeOf(silent)).toBeLessThan(120);
    // One byte of text each, and what a kind's columns cost at all.
    expect(sizeOf(silent)).toBeLessThan(200 + 420);
  });

  test('kinds are written behind those that told them', () => {
    const { inOrder } = kindTable(currentVocabulary());
    const written = new Set<number>([inOrder.length]);
    for (const { kind, place, tellers } of inOrder) {
      for (const { kind: teller } of tellers.flat()) expect(written.has(teller), kind).toBe(true);
      written.add(place);
    }
    expect(written.size).toBe(inOrder.length + 1);
    expect(inOrder.flatMap(({ tellers }) => tellers.flat()).length).toBeGreaterThan(15);
  });

  test('numbers packed in a way that there is not are refused with a sentence', () => {
    const numbers = (...varints: readonly number[]) => {
      const out = byteWriter(1);
      for (const value of varints) writeVarint(out, value);
      const read = new ByteReader(out.bytes.slice(0, out.length), 'it');
      return () => readIntegers(read, new Float64Array(4), 4);
    };
    const [context, constant] = [3, [0, 0, 7]];
    expect(numbers(context, 1, ...constant.with(2, 3), ...constant)).not.toThrow();
    expect(numbers(context, 1, ...constant.with(2, 4), ...constant)).toThrow('holds more numbers than it says');
    expect(numbers(context, 5, ...constant, ...constant)).toThrow('holds more numbers than it says');
    expect(numbers(context, 0, ...constant, ...constant)).toThrow('holds more numbers than it says');
    expect(numbers(context, 1, context, 1)).toThrow('a packing that there is not');
    expect(numbers(4, 1, 0, 0)).toThrow('a packing that there is not');
    expect(numbers(9, 1, 0, 0)).toThrow('a packing that there is not');
  });

  test('a batch of any events of the vocabulary reads back equal', () => {
    const kinds = kindTable(currentVocabulary());
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), (events) => {
        const last = (i: number) => i + 4;
        const batch = events.map((event, i) => ({
          ...{ seq: i + 5, tick: i * 3, source: i % 4, event },
          cause: [undefined, 4, last(i)][i % 3],
          within: [4, last(i), undefined, last(i)][i % 4],
        }));
        const out = byteWriter(1);
        writeEvents(out, heldOf(batch as never, kinds), kinds);
        const payload = out.bytes.slice(0, out.length);
        const read = readEvents(payload, { events: batch.length, firstSeq: 5 }, kinds, LAYOUT);
        expect(batch.map((_, index) => read.at(index))).toEqual(batch);
        expect(batch.map((_, index) => read.kindAt(index))).toEqual(events.map(({ kind }) => kind));
      }),
      { numRuns: 200 },
    );
  });

  test('events written in two parts, or with their fields in another order, are the same events', () => {
    const kinds = kindTable(currentVocabulary());
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 2, maxLength: 40 }), fc.nat(39), (events, cut) => {
        const turned = (event: MachineEvent, i: number): MachineEvent =>
          i % 3 === 0 ? event : (Object.fromEntries(Object.entries(event).toReversed()) as unknown as MachineEvent);
        const batch: Stamped[] = [...events, ...events].map((event, seq) => ({
          ...{ seq, tick: seq, source: 0, event: turned(event as MachineEvent, seq) },
          cause: undefined,
          within: seq === 0 ? undefined : seq - 1,
        }));
        const held = heldOf(batch, kinds);
        const half = 1 + (cut % (batch.length - 1));
        const read = [0, half].flatMap((from) => {
          const out = byteWriter(1);
          const to = from === 0 ? half : batch.length;
          writeEvents(out, held, kinds, from, to);
          const part = readEvents(written(out), { events: to - from, firstSeq: from }, kinds, LAYOUT);
          return Array.from({ length: to - from }, (_, index) => part.at(index));
        });
        expect(read).toEqual(batch);
      }),
    );
  });

  test('a batch that contradicts what is said of it is refused with a sentence', () => {
    const kinds = kindTable(currentVocabulary());
    const out = byteWriter(1);
    const sample = sampleEvents(9);
    const { seq: firstSeq } = sample[0]!;
    writeEvents(out, heldOf(sample, kinds), kinds);
    const payload = out.bytes.slice(0, out.length);
    expect(readEvents(payload, { events: 9, firstSeq }, kinds, LAYOUT)).toHaveLength(9);
    expect(() => readEvents(payload, { events: 8, firstSeq }, kinds, LAYOUT)).toThrow(
      'contradicts itself: it holds another number',
    );
    const moved = { events: 9, firstSeq: firstSeq + 1 };
    expect(() => readEvents(payload, moved, kinds, LAYOUT)).toThrow('holds other events than it says');
    const fewer = { ...kinds, byPlace: kinds.byPlace.slice(0, 3) };
    expect(() => readEvents(payload, { events: 9, firstSeq }, fewer, LAYOUT)).toThrow(
      'holds a kind that its header does not name',
    );
  });

  test('the checksum is the one of zip', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});

describe('a trace', () => {
  const events = sampleEvents(EVENTS_PER_CHUNK * 3 + 100);
  const bytes = traceOf(events);

  test('gives back every event and its header', () => {
    const trace = openTrace(sourceOf(bytes), inflate);
    expect(trace.header).toMatchObject({ formatVersion: 3, ...SUBJECT });
    expect(trace.eventCount).toBe(events.length);
    const { events: read, damage } = readAll(trace);
    expect(damage).toBeUndefined();
    expect(read).toEqual(events);
  });

  test('takes events of every thread there may be', () => {
    const sources = [0, 1, 2, 3, 16, 271, 272, 273, 527, 528, 531];
    const stamped = sampleEvents(200).map((each, at) => ({ ...each, source: sources[at % sources.length] as number }));
    expect(readAll(openTrace(sourceOf(traceOf(stamped)), inflate)).events).toEqual(stamped);
  });

  test('of the first format is read by the vocabulary it has: what caused an event, it happened within', () => {
    // Power-on, sample events and one of a kind that is gone, as that version wrote them.
    const old = new Uint8Array(readFileSync(new URL('./recorded/format-1.trace', import.meta.url)));
    const trace = openTrace(sourceOf(old), inflate);
    expect(trace).toMatchObject({ version: 1, header: { formatVersion: 1 } });
    const { events: read, damage } = readAll(trace);
    expect(damage).toBeUndefined();
    expect(read[0]!.event).toEqual({ kind: 'sim:powered_on', seed: '7', wall_clock: 1n });
    const samples = sampleEvents(40).slice(1);
    expect(read.slice(1, -1)).toEqual(samples.map((stamped) => ({ ...stamped, within: stamped.cause })));
    const { event: gone, ...last } = read.at(-1)!;
    expect(last).toEqual({ seq: 40, tick: 1500, source: 0, cause: 39, within: 39 });
    const value = '{"grow":true,"vcpu_id":1,"new":20000,"old":10000}';
    expect(gone).toEqual({ kind: 'sim:unknown', name: 'kvm_halt_poll_ns', value });
  });

  test('of the second format is read as it was', () => {
    const old = new Uint8Array(readFileSync(new URL('./recorded/format-2.trace', import.meta.url)));
    const trace = openTrace(sourceOf(old), inflate);
    expect(trace).toMatchObject({ version: 2, damage: undefined });
    expect(readAll(trace).events).toEqual(sampleEvents(60));
  });

  test('stays under 16 bytes an event for a mix of exits', () => {
    expect(bytes.length / events.length).toBeLessThan(16);
  });

  test('finds the chunk of a sequence number', () => {
    const { chunks } = openTrace(sourceOf(bytes), inflate);
    expect(chunkOf(chunks, 0)).toBe(0);
    expect(chunkOf(chunks, EVENTS_PER_CHUNK)).toBe(1);
    expect(chunkOf(chunks, EVENTS_PER_CHUNK * 9)).toBe(3);
  });

  test('that nobody closed is readable up to its last flush', () => {
    const sink = memorySink();
    const writer = createTraceWriter(sink, deflate, SUBJECT);
    for (const stamped of events.slice(0, EVENTS_PER_CHUNK + 7)) writer.append(stamped);
    const { events: read, damage } = readAll(openTrace(sourceOf(sink.bytes()), inflate));
    expect(read).toHaveLength(EVENTS_PER_CHUNK);
    expect(damage).toContain('its recorder did not end');
  });
});

describe('damage', () => {
  const events = sampleEvents(EVENTS_PER_CHUNK * 3);
  const bytes = traceOf(events);
  const whole = openTrace(sourceOf(bytes), inflate);

  test('a cut loses only what comes after it, and says where', () => {
    for (const at of [whole.chunks[1]!.offset + 10, whole.chunks[1]!.offset + 500, whole.chunks[2]!.offset + 64]) {
      const trace = openTrace(sourceOf(bytes.slice(0, at)), inflate);
      const { events: read, damage } = readAll(trace);
      expect(damage).toMatch(
        /^run\.trace is cut off at byte \d+: chunk \d is incomplete and is left out; its recorder did not end/,
      );
      expect(isBeginningOf(read, events)).toBe(true);
      expect(read.length).toBe(at > whole.chunks[2]!.offset ? EVENTS_PER_CHUNK * 2 : EVENTS_PER_CHUNK);
    }
  });

  test('no flipped bit goes unnoticed, and what is before it stays readable', () => {
    const steps = Math.floor(bytes.length / (IS_WHOLE ? 100 : 25));
    for (let at = 16; at < bytes.length - 40; at += steps) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      let read: { events: readonly unknown[]; damage: string | undefined };
      try {
        read = readAll(openTrace(sourceOf(flipped), inflate));
      } catch (problem) {
        expect((problem as Error).name).toBe('Problem');
        continue;
      }
      expect(isBeginningOf(read.events, events)).toBe(true);
      const inIndex = at > whole.chunks[2]!.offset + 64 && read.events.length === events.length;
      if (!inIndex) expect(read.damage).toMatch(/damaged/);
    }
  });

  test('swapped chunks are named', () => {
    const [a, b] = [whole.chunks[0]!.offset, whole.chunks[1]!.offset];
    const c = whole.chunks[2]!.offset;
    const swapped = Buffer.concat([bytes.slice(0, a), bytes.slice(b, c), bytes.slice(a, b), bytes.slice(c, -16)]);
    const trace = openTrace(sourceOf(new Uint8Array(swapped)), inflate);
    expect(trace.damage).toMatch(/out of order at byte \d+: chunk 2 stands where chunk 1 belongs/);
  });

  test('a newer format is refused with one sentence', () => {
    const newer = bytes.slice();
    newer[8] = 9;
    expect(() => openTrace(sourceOf(newer), inflate)).toThrow(
      'run.trace is in trace format 9; this version of Retrovisor reads up to 3: use a newer one.',
    );
  });

  test('a file that is no trace is refused with one sentence', () => {
    expect(() => openTrace(sourceOf(Uint8Array.of(1, 2, 3), 'x.txt'), inflate)).toThrow(
      'x.txt is not a Retrovisor trace.',
    );
    expect(() => openTrace(sourceOf(bytes.slice(0, 40)), inflate)).toThrow(/cut off at byte 40/);
  });
});
