import { partitionPoint } from '../../base/partition.ts';
import { Problem } from '../../base/problem.ts';
import type { BlockDigest } from '../../block/read-blocks.ts';
import type { Seq } from '../../base/units.ts';
import type { FieldType } from '../../events/schema.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type EventKind, type MachineEvent, VOCABULARY } from '../../events/vocabulary.ts';
import { openChunked } from './chunked.ts';
import { FILE_MAGIC, PREAMBLE_LENGTH } from './chunk.ts';
import { readEnvelope, readFirstEnvelope } from './envelope.ts';
import type { EventBatch, RecordedEvent } from './event-batch.ts';
import type { RecordedVocabulary, TraceHeader } from './header.ts';
import type { ByteSource, ChunkPlace, Inflate, OpenTrace, PayloadReader } from './opened.ts';

const BEFORE_TELLING = { readEnvelope, hasCounts: true, hasShortBytes: false };

/** Every format version there has been, and how it is opened. A version is added, never taken away. */
const LADDER: Readonly<Record<number, (source: ByteSource, inflate: Inflate) => OpenTrace>> = {
  1: (source, inflate) => openChunked(source, inflate, { ...BEFORE_TELLING, readEnvelope: readFirstEnvelope }),
  2: (source, inflate) => openChunked(source, inflate, BEFORE_TELLING),
  3: (source, inflate) => openChunked(source, inflate, { readEnvelope, hasCounts: false, hasShortBytes: true }),
};

const NEWEST = Math.max(...Object.keys(LADDER).map(Number));

/** A trace as today's code sees it, whichever version wrote it. */
export interface TraceReader {
  /** The format version it is written in. */
  readonly version: number;
  readonly header: TraceHeader;
  /** Events in the chunks that can be reached. */
  readonly eventCount: number;
  /** Those of events. */
  readonly chunks: readonly ChunkPlace[];
  /** Bulk bytes that its events name. Who does not ask for one reads none. */
  readonly payloads: PayloadReader;
  /** Blocks of image files that the run read. Throws a Problem when a list of them is damaged. */
  blocks(): readonly BlockDigest[];
  /** The first damage known so far, as a sentence. Reading may find more. That it has no end is one, until accepted. */
  readonly damage: string | undefined;
  /** That it has no end, whether that is accepted or not. */
  readonly cut: string | undefined;
  /** Events of one chunk. Throws a Problem when it is damaged. */
  readChunk(chunk: ChunkPlace): readonly Stamped[];
  /** The same, each made when it is asked for. */
  openChunk(chunk: ChunkPlace): OpenChunk;
  /** Kinds of a chunk's events, as places in the header's vocabulary. */
  readKinds(chunk: ChunkPlace): Float64Array;
  /** Throws a Problem when a chunk is damaged, without taking it apart. */
  check(chunk: ChunkPlace): void;
}

/** Events of a chunk that is sound. */
export interface OpenChunk {
  readonly length: number;
  /** The kind of an event, by the name it was recorded under. */
  kindAt(index: number): string;
  /** The event at a place 0..length-1, made anew each time. */
  at(index: number): Stamped;
}

/** How a trace is to be read. */
export interface TraceAccess {
  /** Take what there is of a trace whose recorder did not end for the whole. */
  readonly acceptCut?: boolean;
}

/** Open a trace. Throws a Problem with one sentence when it is no trace, is newer than this code, or has no header. */
export function openTrace(source: ByteSource, inflate: Inflate, { acceptCut = false }: TraceAccess = {}): TraceReader {
  const version = versionOf(source);
  const open = LADDER[version];
  if (open === undefined) {
    throw new Problem(
      `${source.name} is in trace format ${version}; this version of Retrovisor reads up to ${NEWEST}: ` +
        'use a newer one.',
    );
  }
  const trace = open(source, inflate);
  const adapt = adapter(trace.header.vocabulary);
  const openChunk = (chunk: ChunkPlace): OpenChunk => adapt(trace.readEvents(chunk));
  return {
    version,
    header: trace.header,
    eventCount: trace.events.reduce((sum, { events }) => sum + events, 0),
    chunks: trace.events,
    payloads: trace.payloads,
    blocks: trace.blocks,
    damage: trace.damage ?? (acceptCut ? undefined : trace.cut),
    cut: trace.cut,
    readChunk: (chunk) => allOf(openChunk(chunk)),
    openChunk,
    readKinds: trace.readKinds,
    check: trace.check,
  };
}

const allOf = ({ length, at }: OpenChunk): Stamped[] => Array.from({ length }, (_, index) => at(index));

function versionOf(source: ByteSource): number {
  const bytes = source.read(0, PREAMBLE_LENGTH);
  if (bytes.length < PREAMBLE_LENGTH || !FILE_MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw new Problem(`${source.name} is not a Retrovisor trace.`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
}

/** What reading a whole trace came to. */
export interface ReadTrace {
  readonly events: readonly Stamped[];
  /** Why the events end early, as a sentence. */
  readonly damage: string | undefined;
}

/** Every readable event, oldest first, with the damage that ended them. */
export function readAll(trace: TraceReader): ReadTrace {
  const events: Stamped[] = [];
  for (const chunk of trace.chunks) {
    try {
      for (const stamped of trace.readChunk(chunk)) events.push(stamped);
    } catch (problem) {
      if (problem instanceof Problem) return { events, damage: problem.message };
      throw problem;
    }
  }
  return { events, damage: trace.damage };
}

/**
 * The kinds of the first `length` events, a chunk at a time, as places in the header's vocabulary: what can be told
 * without reading the events.
 */
export function* kindsUpTo(trace: TraceReader, length: number): Generator<[chunk: ChunkPlace, places: Float64Array]> {
  let left = length;
  for (const chunk of trace.chunks) {
    if (left <= 0) return;
    const places = trace.readKinds(chunk);
    yield [chunk, places];
    left -= places.length;
  }
}

/** Index of the chunk that holds `seq`, or of the last one before it. -1: all come later. */
export const chunkOf = (chunks: readonly ChunkPlace[], seq: Seq): number =>
  partitionPoint(chunks.length, (at) => chunks[at]!.firstSeq <= seq) - 1;

/** What an event has for a field that was not recorded. */
export const ABSENT: Readonly<Record<FieldType, unknown>> = {
  u: 0,
  i: 0,
  u64: 0n,
  text: '',
  bytes: new Uint8Array(0),
  packet: new Uint8Array(0),
  bool: false,
};

/** Give events recorded under another vocabulary today's fields; kinds unknown today become `sim:unknown`. */
function adapter(recorded: RecordedVocabulary): (events: EventBatch) => OpenChunk {
  const changed = new Set(Object.keys(recorded).filter((kind) => !sameFields(kind, recorded[kind]!)));
  const asToday = (stamped: RecordedEvent): Stamped =>
    (changed.has(stamped.event.kind) ? { ...stamped, event: adapted(stamped.event) } : stamped) as Stamped;
  return (events) =>
    changed.size === 0 ? (events as OpenChunk) : { ...events, at: (index) => asToday(events.at(index)) };
}

function sameFields(kind: string, fields: Readonly<Record<string, FieldType>>): boolean {
  const today = VOCABULARY[kind as EventKind] as { readonly fields: Readonly<Record<string, FieldType>> } | undefined;
  if (today === undefined) return false;
  const names = Object.keys(today.fields);
  return names.length === Object.keys(fields).length && names.every((name) => fields[name] === today.fields[name]);
}

function adapted(event: RecordedEvent['event']): MachineEvent {
  const today = VOCABULARY[event.kind as EventKind] as
    | { readonly fields: Readonly<Record<string, FieldType>> }
    | undefined;
  if (today === undefined) {
    const { kind, ...fields } = event;
    return { kind: 'sim:unknown', name: kind, value: JSON.stringify(fields, (_, value) => printable(value)) };
  }
  const fields = Object.entries(today.fields).map(([name, type]) => [name, converted(event[name], type)]);
  return { kind: event.kind, ...Object.fromEntries(fields) } as MachineEvent;
}

const printable = (value: unknown): unknown => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value);

function converted(value: unknown, type: FieldType): unknown {
  if (value === undefined) return ABSENT[type];
  if (type === 'u64' && typeof value === 'number') return BigInt(value);
  if ((type === 'u' || type === 'i') && typeof value === 'bigint') return Number(value);
  return typeof value === typeof ABSENT[type] ? value : ABSENT[type];
}
