import type { Seq, Tick } from '../../base/units.ts';
import { PAGE_SIZE } from '../../memory/pages.ts';
import { CHUNK_HEADER_LENGTH, type ChunkHeader, decodeChunkHeader, encodeChunkHeader, MOST_PER_BYTE } from './chunk.ts';
import { crc32 } from '../../base/crc32.ts';
import type { ByteSource, Inflate } from './opened.ts';
import type { Compress } from './writer.ts';

/** First bytes of a file of checkpoints, as a trace has its own. */
export const CHECKPOINT_MAGIC = Uint8Array.of(0x89, 0x52, 0x56, 0x43, 0x50, 0x0d, 0x0a, 0x1a);

/** The only version there is. Files of another are made again, never migrated: they hold nothing a trace does not. */
export const CHECKPOINT_FORMAT = 2;

/** Pages of one chunk: large enough to compress well, small enough to read for one page. */
export const PAGES_PER_CHUNK = 64;

/** The number of what a page of guest memory held at power-on, and back again: below zero. */
export const pageAtFirst = (pageOrNumber: number): number => -1 - pageOrNumber;

/** The number of a page of a sparse region that is what its base has there. */
export const OF_BASE = 1 - 2 ** 31;

/** What a chunk of the file holds; numbers of their own, so that none is taken for a trace's. */
export const PART = { pages: 16, checkpoint: 17, index: 18 } as const;

/** Bounds of a chunk: pages are counted; states and inputs are never so large. */
const MOST_BYTES: Readonly<Record<number, number>> = {
  [PART.pages]: PAGES_PER_CHUNK * PAGE_SIZE,
  [PART.checkpoint]: 2 ** 26,
  [PART.index]: 2 ** 26,
};

/** What checkpoints belong to: the very bytes of a trace, and the very program that made them. */
export interface CheckpointIdentity {
  /** SHA-256 of the trace file. */
  readonly trace: string;
  /** Digest of the program's code. */
  readonly program: string;
}

/** Where a chunk lies and what it is about. */
export interface PartPlace {
  readonly offset: number;
  readonly seq: Seq;
  readonly tick: Tick;
}

/** A chunk as it goes into the file: the frame of a trace's, which checks itself. */
export function framed(
  { kind, ordinal, seq, tick }: { kind: number; ordinal: number; seq: Seq; tick: Tick },
  raw: Uint8Array,
  compress: Compress,
): Uint8Array {
  const deflated = compress(raw);
  const isSmaller = deflated.length < raw.length;
  const stored = isSmaller ? deflated : raw;
  const header = encodeChunkHeader({
    kind,
    ordinal,
    compression: isSmaller ? 1 : 0,
    storedLength: stored.length,
    rawLength: raw.length,
    events: 0,
    firstSeq: seq,
    firstTick: tick,
    lastTick: tick,
    payloadCrc: crc32(stored),
    previousCrc: 0,
  });
  const whole = new Uint8Array(header.length + stored.length);
  whole.set(header);
  whole.set(stored, header.length);
  return whole;
}

/** The content of the chunk that should lie at `offset`; undefined when it is another one, or damaged. */
export function unframed(
  source: ByteSource,
  inflate: Inflate,
  offset: number,
  isWanted: (header: ChunkHeader) => boolean,
): Uint8Array | undefined {
  const bytes = source.read(offset, CHUNK_HEADER_LENGTH);
  const header = bytes.length < CHUNK_HEADER_LENGTH ? undefined : decodeChunkHeader(bytes);
  if (header === undefined || !isWanted(header)) return undefined;
  if (header.rawLength > Math.min(MOST_BYTES[header.kind] ?? 0, MOST_PER_BYTE * header.storedLength)) return undefined;
  const stored = source.read(offset + CHUNK_HEADER_LENGTH, header.storedLength);
  if (stored.length < header.storedLength || crc32(stored) !== header.payloadCrc) return undefined;
  try {
    const raw = header.compression === 0 ? stored : inflate(stored, header.rawLength);
    return raw.length === header.rawLength ? raw : undefined;
  } catch {
    return undefined;
  }
}
