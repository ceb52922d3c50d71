import type { Seq, Tick } from '../../base/units.ts';
import type { EventBatch } from './event-batch.ts';
import type { TraceHeader } from './header.ts';
import type { RecordedPayloads } from './payload-chunks.ts';

/** Where a trace's bytes come from. */
export interface ByteSource {
  /** What a sentence about the trace calls it: the file's name. */
  readonly name: string;
  readonly size: number;
  /** Up to `length` bytes at `offset`. */
  read(offset: number, length: number): Uint8Array;
}

/** The inverse of the writer's compressor. */
export type Inflate = (stored: Uint8Array, rawLength: number) => Uint8Array;

/** One chunk and what it spans. */
export interface ChunkPlace {
  readonly ordinal: number;
  readonly offset: number;
  readonly kind: number;
  readonly events: number;
  readonly firstSeq: Seq;
  readonly firstTick: Tick;
  readonly lastTick: Tick;
}

/** A trace of any format version, opened. */
export interface OpenTrace {
  readonly header: TraceHeader;
  /** The event chunks that stand in order, oldest first. */
  readonly events: readonly ChunkPlace[];
  /** What its inputs brought in bulk. */
  readonly payloads: RecordedPayloads;
  /** Why the chunks end early, as a sentence; undefined when they do not. */
  readonly damage: string | undefined;
  /** Throws a Problem when the chunk is damaged. */
  readEvents(chunk: ChunkPlace): EventBatch;
  /** Of each event of a chunk, its kind's place in the vocabulary. */
  readKinds(chunk: ChunkPlace): Float64Array;
  /** Throws a Problem when the chunk is damaged; reads nothing of it otherwise. */
  check(chunk: ChunkPlace): void;
}
