import type { Seq, Tick } from '../../base/units.ts';
import type { BlockDigest } from '../../block/read-blocks.ts';
import type { Sha256 } from '../../memory/payloads.ts';
import type { EventBatch } from './event-batch.ts';
import type { TraceHeader } from './header.ts';

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

/** One payload, and where it lies. */
export interface PayloadPlace {
  readonly sha256: string;
  readonly length: number;
  readonly chunk: ChunkPlace;
  /** Of its first byte in the chunk's content. */
  readonly at: number;
  /** Bytes of all the payloads in the chunk. */
  readonly together: number;
}

/** Payloads of a trace that was opened. */
export interface PayloadReader {
  /** Each content once, in the order in which they came. */
  list(): readonly PayloadPlace[];
  /** Throws a Problem for one that is missing, or is not what it is called by `hash`. */
  payload(sha256: string, hash: Sha256): Uint8Array;
}

/** A trace of any format version, opened. */
export interface OpenTrace {
  readonly header: TraceHeader;
  /** The event chunks that stand in order, oldest first. */
  readonly events: readonly ChunkPlace[];
  /** What its inputs brought in bulk. */
  readonly payloads: PayloadReader;
  /** Blocks of image files that the run read. Throws a Problem when a list of them is damaged. */
  blocks(): readonly BlockDigest[];
  /** Why the chunks end early although the file goes on, as a sentence; undefined when they do not. */
  readonly damage: string | undefined;
  /** That the file has no end, as a sentence: its recorder was killed, or the rest is gone. */
  readonly cut: string | undefined;
  /** Throws a Problem when the chunk is damaged. */
  readEvents(chunk: ChunkPlace): EventBatch;
  /** Of each event of a chunk, its kind's place in the vocabulary. */
  readKinds(chunk: ChunkPlace): Float64Array;
  /** Throws a Problem when the chunk is damaged; reads nothing of it otherwise. */
  check(chunk: ChunkPlace): void;
}
