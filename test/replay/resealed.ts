import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { byteWriter, writeVarint } from '../../src/replay/trace/bytes.ts';
import {
  CHUNK,
  CHUNK_HEADER_LENGTH,
  type ChunkHeader,
  decodeChunkHeader,
  encodeChunkHeader,
  encodeTrailer,
  headerCrc,
  PREAMBLE_LENGTH,
} from '../../src/replay/trace/chunk.ts';
import { crc32 } from '../../src/base/crc32.ts';

/** A chunk taken apart: what its header says of it, and its content. */
export interface OpenChunk {
  readonly header: ChunkHeader;
  readonly content: Uint8Array;
}

/** The chunks of a whole trace but for its index. */
function chunksOf(trace: Uint8Array): OpenChunk[] {
  const chunks: OpenChunk[] = [];
  for (let at = PREAMBLE_LENGTH; ; ) {
    const header = decodeChunkHeader(trace.subarray(at, at + CHUNK_HEADER_LENGTH)) as ChunkHeader;
    if (header.kind === CHUNK.index) return chunks;
    const stored = trace.subarray(at + CHUNK_HEADER_LENGTH, at + CHUNK_HEADER_LENGTH + header.storedLength);
    chunks.push({ header, content: header.compression === 0 ? stored : inflateRawSync(stored) });
    at += CHUNK_HEADER_LENGTH + header.storedLength;
  }
}

/** A chunk's bytes, with checksums that are right for what it holds. */
function sealed({ header, content }: OpenChunk, ordinal: number, previousCrc: number): Uint8Array {
  const stored = deflateRawSync(content, { level: 1 });
  const rawLength = header.rawLength;
  const lengths = { storedLength: stored.length, rawLength, compression: 1, payloadCrc: crc32(stored) };
  return Buffer.concat([encodeChunkHeader({ ...header, ...lengths, ordinal, previousCrc }), stored]);
}

/**
 * A whole trace with other content in one of its chunks, or another header to it, and right checksums; with another
 * index, if one is given.
 */
export function resealed(
  trace: Uint8Array,
  changed: (chunks: OpenChunk[]) => readonly OpenChunk[],
  otherIndex?: Uint8Array,
): Uint8Array {
  const pieces: Uint8Array[] = [trace.subarray(0, PREAMBLE_LENGTH)];
  const index = byteWriter();
  let offset = PREAMBLE_LENGTH;
  let previousCrc = 0;
  const put = (chunk: OpenChunk): void => {
    const bytes = sealed(chunk, pieces.length - 1, previousCrc);
    pieces.push(bytes);
    previousCrc = headerCrc(bytes);
    offset += bytes.length;
  };
  const chunks = changed(chunksOf(trace));
  writeVarint(index, chunks.length);
  for (const chunk of chunks) {
    const { kind, events, firstSeq, firstTick, lastTick } = chunk.header;
    for (const value of [offset, kind, events, firstSeq, firstTick, lastTick]) writeVarint(index, value);
    put(chunk);
  }
  const place = { kind: CHUNK.index, events: 0, firstSeq: 0, firstTick: 0, lastTick: 0 };
  const content = otherIndex ?? index.bytes.slice(0, index.length);
  const at = offset;
  put({ header: { ...(chunks[0] as OpenChunk).header, ...place, rawLength: content.length }, content });
  return Buffer.concat([...pieces, encodeTrailer(at)]);
}
