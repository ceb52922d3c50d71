import { ByteReader } from '../../base/byte-reader.ts';
import { Problem } from '../../base/problem.ts';
import { LONGEST_BLOCK_LIST, readBlockLists } from './block-chunks.ts';
import {
  CHUNK,
  CHUNK_HEADER_LENGTH,
  type ChunkHeader,
  decodeChunkHeader,
  decodeTrailer,
  headerCrc,
  MOST_PER_BYTE,
  PREAMBLE_LENGTH,
  TRAILER_LENGTH,
} from './chunk.ts';
import { crc32 } from '../../base/crc32.ts';
import { readEvents, readKinds } from './event-batch.ts';
import { kindTable } from './event-columns.ts';
import type { Layout } from './envelope.ts';
import { contradiction } from './contradiction.ts';
import { checkedHeader } from './header.ts';
import type { ByteSource, ChunkPlace, Inflate, OpenTrace } from './opened.ts';
import { RecordedPayloads } from './payload-chunks.ts';

/** Bounds of a chunk, far above what a recorder writes: nobody's memory is taken for what a few bytes say. */
const MOST_EVENTS = 2 ** 13;
const MOST_BYTES: Readonly<Record<number, number>> = {
  [CHUNK.header]: 2 ** 22,
  [CHUNK.events]: 2 ** 27,
  [CHUNK.index]: 2 ** 24,
  [CHUNK.blockList]: LONGEST_BLOCK_LIST,
};

/** Numbers the index has of a chunk, of a byte at least. */
const NUMBERS_OF_A_PLACE = 6;

/** What walking the headers found: the chunks that stand where they should, and why it stopped early, if it did. */
interface Walk {
  readonly chunks: readonly ChunkPlace[];
  readonly damage: string | undefined;
  /** Why there is no end, if there is none. */
  readonly cut?: string | undefined;
}

/** Preamble, header chunk, event chunks, index chunk, trailer: how traces of every version so far are laid out. */
export function openChunked(source: ByteSource, inflate: Inflate, layout: Layout): OpenTrace {
  const walk = indexed(source, inflate) ?? walked(source);
  const [head] = walk.chunks;
  if (head === undefined || head.kind !== CHUNK.header) {
    throw new Problem(walk.damage ?? walk.cut ?? `${source.name} holds no header: nothing of it can be read.`);
  }
  const header = headerOf(source, inflate, head);
  const kinds = kindTable(header.vocabulary);
  const { chunks: events, damage } = following(
    source,
    walk.chunks.filter(({ kind }) => kind === CHUNK.events),
  );
  const payloads = new RecordedPayloads(source, walk.chunks, walk, (chunk, most, take) =>
    placed(source, chunk, () => take(payloadOf(source, inflate, chunk, most))),
  );
  return {
    header,
    events,
    payloads,
    blocks: () => {
      const lists = walk.chunks.filter(({ kind }) => kind === CHUNK.blockList);
      const first = lists[0];
      if (first === undefined) return [];
      return placed(source, first, () => readBlockLists(contentsOf(source, inflate, lists), source.size));
    },
    damage: damage ?? walk.damage,
    cut: walk.cut,
    readEvents: (chunk) =>
      placed(source, chunk, () => readEvents(payloadOf(source, inflate, chunk), chunk, kinds, layout)),
    readKinds: (chunk) =>
      placed(source, chunk, () => readKinds(payloadOf(source, inflate, chunk), chunk.events, kinds, layout)),
    check: (chunk) => void storedPayload(source, chunk),
  };
}

/** Contents of chunks, each when it is asked for. */
function* contentsOf(source: ByteSource, inflate: Inflate, chunks: readonly ChunkPlace[]): Generator<Uint8Array> {
  for (const chunk of chunks) yield placed(source, chunk, () => payloadOf(source, inflate, chunk));
}

/** What a chunk's content is blamed for names the trace and the place. */
function placed<T>({ name }: ByteSource, { ordinal, offset }: ChunkPlace, read: () => T): T {
  try {
    return read();
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.message.startsWith(name)) throw problem;
    throw new Problem(`${name} is damaged in chunk ${ordinal} (byte ${offset}): ${problem.message}`);
  }
}

/** The chunks whose events follow one another, and why they end early, if they do. */
function following({ name }: ByteSource, chunks: readonly ChunkPlace[]): Walk {
  const wrong = chunks.findIndex(({ firstSeq, events }, at) => {
    const { firstSeq: before = 0, events: count = 0 } = chunks[at - 1] ?? {};
    return !(Number.isSafeInteger(firstSeq) && events > 0 && events <= MOST_EVENTS && firstSeq === before + count);
  });
  if (wrong < 0) return { chunks, damage: undefined };
  const { ordinal, offset } = chunks[wrong]!;
  const damage = `${name} is out of order at byte ${offset}: chunk ${ordinal} does not follow the events before it.`;
  return { chunks: chunks.slice(0, wrong), damage };
}

function headerOf(source: ByteSource, inflate: Inflate, head: ChunkPlace) {
  const text = new TextDecoder().decode(payloadOf(source, inflate, head));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Problem(`The header of ${source.name} is damaged: it is not JSON.`);
  }
  return checkedHeader(json, source.name);
}

/** The chunks by the index of a trace that was closed. A trace without one is walked. */
function indexed(source: ByteSource, inflate: Inflate): Walk | undefined {
  const end = source.size - TRAILER_LENGTH;
  if (end < PREAMBLE_LENGTH + CHUNK_HEADER_LENGTH) return undefined;
  const offset = decodeTrailer(source.read(end, TRAILER_LENGTH));
  if (offset === undefined || offset < PREAMBLE_LENGTH || offset + CHUNK_HEADER_LENGTH > end) return undefined;
  const header = decodeChunkHeader(source.read(offset, CHUNK_HEADER_LENGTH));
  if (header?.kind !== CHUNK.index || offset + CHUNK_HEADER_LENGTH + header.storedLength !== end) return undefined;
  const place = { ...header, offset };
  try {
    const chunks = readIndex(payloadOf(source, inflate, place), offset);
    return chunks.length === header.ordinal ? { chunks, damage: undefined } : undefined;
  } catch (problem) {
    if (problem instanceof Problem) return undefined;
    throw problem;
  }
}

/** The chunks as the index has them: one behind the other, each as long as a chunk is at least. */
function readIndex(payload: Uint8Array, end: number): ChunkPlace[] {
  const input = new ByteReader(payload, 'the index');
  const chunks = Array.from({ length: input.count(NUMBERS_OF_A_PLACE) }, (_, ordinal) => ({
    ordinal,
    offset: input.varint(),
    kind: input.varint(),
    events: input.varint(),
    firstSeq: input.varint(),
    firstTick: input.varint(),
    lastTick: input.varint(),
  }));
  const areInOrder = chunks.every(
    ({ offset }, at) => offset >= (at === 0 ? PREAMBLE_LENGTH : chunks[at - 1]!.offset + CHUNK_HEADER_LENGTH),
  );
  const last = chunks.at(-1)?.offset ?? PREAMBLE_LENGTH;
  if (!areInOrder || last + CHUNK_HEADER_LENGTH > end) throw contradiction('places that chunks cannot have');
  return chunks;
}

/** The chunks by their headers, from the start: what a crash or a cut left. */
function walked(source: ByteSource): Walk {
  const chunks: ChunkPlace[] = [];
  let offset = PREAMBLE_LENGTH;
  let previousCrc = 0;
  while (offset < source.size) {
    const left = source.size - offset;
    if (left === TRAILER_LENGTH && decodeTrailer(source.read(offset, left)) !== undefined) {
      return { chunks, damage: undefined };
    }
    const cut = cutAt(source, offset, chunks.length);
    if (cut !== undefined) return { chunks, damage: undefined, cut };
    const damage = damageAt(source, offset, chunks.length, previousCrc);
    if (damage !== undefined) return { chunks, damage };
    const bytes = source.read(offset, CHUNK_HEADER_LENGTH);
    const header = decodeChunkHeader(bytes) as ChunkHeader;
    chunks.push({ ...header, offset });
    previousCrc = headerCrc(bytes);
    offset += lengthOf(header);
  }
  const cut = `${source.name} has no end: its recorder did not end, or the rest is gone. What there is is readable.`;
  return { chunks, damage: undefined, cut };
}

/** That the chunk at `offset` was not written to its end, as one sentence. */
function cutAt({ name, size, read }: ByteSource, offset: number, ordinal: number): string | undefined {
  const header = decodeChunkHeader(read(offset, CHUNK_HEADER_LENGTH));
  const isShort = header === undefined ? size - offset < CHUNK_HEADER_LENGTH : offset + lengthOf(header) > size;
  if (!isShort) return undefined;
  return (
    `${name} is cut off at byte ${size}: chunk ${ordinal} is incomplete and is left out; ` +
    'its recorder did not end, or the rest is gone.'
  );
}

const lengthOf = ({ storedLength }: ChunkHeader): number => CHUNK_HEADER_LENGTH + storedLength;

/** What is wrong with the chunk header at `offset`, as one sentence. */
function damageAt(source: ByteSource, offset: number, ordinal: number, previousCrc: number): string | undefined {
  const header = decodeChunkHeader(source.read(offset, CHUNK_HEADER_LENGTH));
  if (header === undefined) {
    return `${source.name} is damaged at byte ${offset}: the header of chunk ${ordinal} does not match its checksum.`;
  }
  if (header.ordinal !== ordinal || header.previousCrc !== previousCrc) {
    return (
      `${source.name} is out of order at byte ${offset}: chunk ${header.ordinal} stands where chunk ${ordinal} ` +
      'belongs; what comes before is readable.'
    );
  }
  return undefined;
}

/** The inflated payload of one chunk, of at most so many bytes, checked. */
function payloadOf(
  source: ByteSource,
  inflate: Inflate,
  chunk: ChunkPlace,
  most = MOST_BYTES[chunk.kind] ?? 0,
): Uint8Array {
  const { header, stored } = storedPayload(source, chunk);
  const { compression, rawLength } = header;
  const where = `${source.name} is damaged in chunk ${chunk.ordinal} (byte ${chunk.offset})`;
  if (rawLength > most) throw new Problem(`${where}: no chunk like it holds ${rawLength} bytes.`);
  if (compression > 1) throw new Problem(`${where}: it is packed in a way that there is not (${compression}).`);
  if (rawLength > stored.length * MOST_PER_BYTE) {
    throw new Problem(`${where}: ${stored.length} bytes cannot hold the ${rawLength} its header tells of.`);
  }
  const content = compression === 0 ? stored : inflated(stored, rawLength, inflate);
  if (content?.length === rawLength) return content;
  throw new Problem(`${where}: its content is not as long as its header says.`);
}

function inflated(stored: Uint8Array, rawLength: number, inflate: Inflate): Uint8Array | undefined {
  try {
    return inflate(stored, rawLength);
  } catch {
    return undefined;
  }
}

/** One chunk as it lies in the file, checked. */
function storedPayload(source: ByteSource, chunk: ChunkPlace): { header: ChunkHeader; stored: Uint8Array } {
  const { ordinal, offset } = chunk;
  const header = decodeChunkHeader(source.read(offset, CHUNK_HEADER_LENGTH));
  if (header === undefined) {
    throw new Problem(
      `${source.name} is damaged at byte ${offset}: the header of chunk ${ordinal} does not match its checksum.`,
    );
  }
  const isThisOne = header.ordinal === ordinal && header.kind === chunk.kind;
  if (!isThisOne || header.firstSeq !== chunk.firstSeq || header.events !== chunk.events) {
    throw new Problem(
      `${source.name} is out of order at byte ${offset}: chunk ${header.ordinal} stands where chunk ${ordinal} ` +
        'belongs.',
    );
  }
  const stored = source.read(offset + CHUNK_HEADER_LENGTH, header.storedLength);
  if (stored.length < header.storedLength || crc32(stored) !== header.payloadCrc) {
    const where = `${source.name} is damaged in chunk ${ordinal} (bytes ${offset} to ${offset + header.storedLength})`;
    throw new Problem(`${where}: its content does not match its checksum.`);
  }
  return { header, stored };
}
