import type { Seq, Tick } from '../../base/units.ts';
import { crc32 } from '../../base/crc32.ts';

/** First bytes of every trace: a name that is not text in any encoding, then the format version (u32). */
export const FILE_MAGIC = Uint8Array.of(0x89, 0x52, 0x54, 0x56, 0x52, 0x0d, 0x0a, 0x1a);

/** Bytes before the first chunk: magic, format version, zero. */
export const PREAMBLE_LENGTH = 16;

/** Bytes of a chunk header. */
export const CHUNK_HEADER_LENGTH = 64;

const CHUNK_MAGIC = 0x4b435652; // RVCK

/** No deflated byte says more: https://zlib.net/zlib_tech.html, "Maximum Compression Factor". */
export const MOST_PER_BYTE = 1032;

/** What a chunk holds. */
export const CHUNK = { header: 1, events: 2, index: 3, payloadList: 4, payloads: 5, blockList: 6 } as const;

/** A chunk header: enough to walk, seek and check the file without its payloads. */
export interface ChunkHeader {
  readonly kind: number;
  /** 0 stored as is, 1 deflate-raw. */
  readonly compression: number;
  /** Place of the chunk in the file, from 0. */
  readonly ordinal: number;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly events: number;
  readonly firstSeq: Seq;
  readonly firstTick: Tick;
  readonly lastTick: Tick;
  readonly payloadCrc: number;
  /** Header checksum of the chunk before: a chunk that moved does not fit its neighbour. */
  readonly previousCrc: number;
}

/** A chunk header in its 64 bytes. The last four are their own checksum. */
export function encodeChunkHeader(header: ChunkHeader): Uint8Array {
  const bytes = new Uint8Array(CHUNK_HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CHUNK_MAGIC, true);
  view.setUint8(4, header.kind);
  view.setUint8(5, header.compression);
  view.setUint32(8, header.ordinal, true);
  view.setUint32(12, header.storedLength, true);
  view.setUint32(16, header.rawLength, true);
  view.setUint32(20, header.events, true);
  view.setFloat64(24, header.firstSeq, true);
  view.setFloat64(32, header.firstTick, true);
  view.setFloat64(40, header.lastTick, true);
  view.setUint32(48, header.payloadCrc, true);
  view.setUint32(52, header.previousCrc, true);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** The header in 64 bytes, or undefined when they are not one. */
export function decodeChunkHeader(bytes: Uint8Array): ChunkHeader | undefined {
  if (bytes.length < CHUNK_HEADER_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== CHUNK_MAGIC) return undefined;
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  return {
    kind: view.getUint8(4),
    compression: view.getUint8(5),
    ordinal: view.getUint32(8, true),
    storedLength: view.getUint32(12, true),
    rawLength: view.getUint32(16, true),
    events: view.getUint32(20, true),
    firstSeq: view.getFloat64(24, true),
    firstTick: view.getFloat64(32, true),
    lastTick: view.getFloat64(40, true),
    payloadCrc: view.getUint32(48, true),
    previousCrc: view.getUint32(52, true),
  };
}

/** A chunk header's own checksum, which the next chunk repeats. */
export const headerCrc = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(60, true);

/** Bytes after the last chunk of a closed trace: where the index chunk starts. */
export const TRAILER_LENGTH = 16;

const TRAILER_MAGIC = 0x4e455652; // RVEN

/** The trailer that points to the index chunk. */
export function encodeTrailer(indexOffset: number): Uint8Array {
  const bytes = new Uint8Array(TRAILER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, indexOffset, true);
  view.setUint32(8, crc32(bytes.subarray(0, 8)), true);
  view.setUint32(12, TRAILER_MAGIC, true);
  return bytes;
}

const isPlace = (offset: number): boolean => Number.isSafeInteger(offset) && offset >= 0;

/** Where the index chunk starts, or undefined when these bytes are not a trailer. */
export function decodeTrailer(bytes: Uint8Array): number | undefined {
  if (bytes.length < TRAILER_LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(12, true) !== TRAILER_MAGIC) return undefined;
  const offset = view.getFloat64(0, true);
  return view.getUint32(8, true) === crc32(bytes.subarray(0, 8)) && isPlace(offset) ? offset : undefined;
}
