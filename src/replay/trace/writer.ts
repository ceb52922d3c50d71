import type { Seq, Tick } from '../../base/units.ts';
import type { BlockDigest } from '../../block/read-blocks.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { PayloadSource } from '../../memory/payloads.ts';
import { blockList, BLOCKS_PER_LIST } from './block-chunks.ts';
import { byteWriter, type ByteWriter, writeVarint } from './bytes.ts';
import { CHUNK, encodeChunkHeader, encodeTrailer, FILE_MAGIC, headerCrc, PREAMBLE_LENGTH } from './chunk.ts';
import { crc32 } from '../../base/crc32.ts';
import { type KindTable, kindTable } from './event-columns.ts';
import { HeldEvents } from './held-events.ts';
import { checkWritten, currentVocabulary, type ImageIdentity, type Parent, type TraceHeader } from './header.ts';
import { PayloadBatch } from './payload-chunks.ts';
import { writeEvents } from './write-events.ts';

/** The format version this code writes. */
export const FORMAT_VERSION = 3;

/** Most events of one chunk. */
export const EVENTS_PER_CHUNK = 4096;

/** Most bytes of a chunk's content, unless one event alone has more. */
const BYTES_PER_CHUNK = 2 ** 25;

/** Where a trace's bytes go, in order. The writer never seeks. */
export interface ByteSink {
  append(bytes: Uint8Array): void;
}

/** The one thing the format needs from outside: deflate-raw. */
export type Compress = (raw: Uint8Array) => Uint8Array;

/** What a new trace says about itself; versions and vocabulary are added by the writer. */
export interface TraceSubject {
  readonly engineVersion: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly images: readonly ImageIdentity[];
  readonly seed: string;
  readonly parent?: Parent;
}

/** A trace being written. */
export interface TraceWriter {
  append(stamped: Stamped): void;
  /** Events held back: not yet in a chunk. */
  readonly held: number;
  /** Write the events held back; a crash after this loses nothing. */
  flush(): void;
  /** Flush and write the index. The trace can be read without it. */
  close(): void;
}

interface ChunkPlace {
  readonly kind: number;
  readonly offset: number;
  readonly events: number;
  readonly firstSeq: Seq;
  readonly firstTick: Tick;
  readonly lastTick: Tick;
}

interface WriterState {
  readonly sink: ByteSink;
  readonly compress: Compress;
  readonly kinds: KindTable;
  readonly held: HeldEvents;
  readonly out: ByteWriter;
  readonly chunks: ChunkPlace[];
  readonly payloads: PayloadSource | undefined;
  readonly blocks: readonly BlockDigest[];
  /** How many of them are written. */
  blocksWritten: number;
  readonly waiting: PayloadBatch;
  offset: number;
  previousCrc: number;
  closed: boolean;
}

/** What a trace holds beside its events. */
export interface Beside {
  /** The payloads its events will name. Without, they are left out. */
  readonly payloads?: PayloadSource | undefined;
  /** Blocks of image files as the run reads them. The list grows, ahead of the events that follow from it. */
  readonly blocks?: readonly BlockDigest[] | undefined;
}

/** Start a trace: preamble and header are written at once. Throws a Problem where no reader would take the header. */
export function createTraceWriter(
  sink: ByteSink,
  compress: Compress,
  subject: TraceSubject,
  { payloads, blocks = [] }: Beside = {},
): TraceWriter {
  const header: TraceHeader = { formatVersion: FORMAT_VERSION, ...subject, vocabulary: currentVocabulary() };
  checkWritten(header);
  const kinds = kindTable(header.vocabulary);
  const state: WriterState = {
    sink,
    compress,
    kinds,
    held: new HeldEvents(kinds, EVENTS_PER_CHUNK),
    out: byteWriter(1 << 20),
    chunks: [],
    payloads,
    blocks,
    blocksWritten: 0,
    waiting: new PayloadBatch(),
    offset: PREAMBLE_LENGTH,
    previousCrc: 0,
    closed: false,
  };
  sink.append(preamble());
  const json = new TextEncoder().encode(JSON.stringify(header));
  writeChunk(state, { ...EVENTLESS, kind: CHUNK.header }, json);
  return {
    append(stamped) {
      if (stamped.event.kind === 'sim:payload_received') putDown(state, stamped.event.sha256);
      state.held.take(stamped);
      if (state.held.count === EVENTS_PER_CHUNK) flush(state);
    },
    get held() {
      return state.held.count;
    },
    flush: () => flush(state),
    close: () => close(state),
  };
}

function preamble(): Uint8Array {
  const bytes = new Uint8Array(PREAMBLE_LENGTH);
  bytes.set(FILE_MAGIC);
  new DataView(bytes.buffer).setUint32(8, FORMAT_VERSION, true);
  return bytes;
}

/** Put the payload down before the event that names it, if it is the first to. */
function putDown(state: WriterState, sha256: string): void {
  const { payloads, waiting } = state;
  if (payloads === undefined || waiting.has(sha256)) return;
  const bytes = payloads.payload(sha256);
  if (waiting.isFullFor(bytes.length)) writePayloads(state);
  waiting.add(sha256, bytes);
}

function writePayloads(state: WriterState): void {
  const taken = state.waiting.take();
  if (taken === undefined) return;
  writeChunk(state, { ...EVENTLESS, kind: CHUNK.payloadList }, taken.list);
  writeChunk(state, { ...EVENTLESS, kind: CHUNK.payloads }, taken.bytes);
}

/** The blocks read so far that no list has yet. */
function writeBlocks(state: WriterState): void {
  const { blocks } = state;
  while (state.blocksWritten < blocks.length) {
    const list = blocks.slice(state.blocksWritten, state.blocksWritten + BLOCKS_PER_LIST);
    writeChunk(state, { ...EVENTLESS, kind: CHUNK.blockList }, blockList(list));
    state.blocksWritten += list.length;
  }
}

/** Of a chunk without events. */
const EVENTLESS = { events: 0, firstSeq: 0, firstTick: 0, lastTick: 0 } as const;

function flush(state: WriterState): void {
  const { held } = state;
  if (held.count === 0) return;
  writePayloads(state);
  writeBlocks(state);
  try {
    writeHeld(state, 0, held.count);
  } finally {
    held.clear();
  }
}

/** In two chunks, if one would be larger than a reader takes: large inputs may come one after the other. */
function writeHeld(state: WriterState, from: number, to: number): void {
  const { out, held } = state;
  out.length = 0;
  writeEvents(out, held, state.kinds, from, to);
  const events = to - from;
  if (out.length > BYTES_PER_CHUNK && events > 1) {
    const half = from + (events >> 1);
    writeHeld(state, from, half);
    writeHeld(state, half, to);
    return;
  }
  const place = { events, firstSeq: held.seqs[from]!, firstTick: held.ticks[from]! };
  const lastTick = held.ticks[to - 1]!;
  writeChunk(state, { kind: CHUNK.events, ...place, lastTick }, out.bytes.subarray(0, out.length));
}

function writeChunk(state: WriterState, what: Omit<ChunkPlace, 'offset'>, raw: Uint8Array): void {
  const deflated = state.compress(raw);
  const smaller = deflated.length < raw.length;
  const stored = smaller ? deflated : raw;
  const header = encodeChunkHeader({
    ...what,
    compression: smaller ? 1 : 0,
    ordinal: state.chunks.length,
    storedLength: stored.length,
    rawLength: raw.length,
    payloadCrc: crc32(stored),
    previousCrc: state.previousCrc,
  });
  const whole = new Uint8Array(header.length + stored.length);
  whole.set(header);
  whole.set(stored, header.length);
  state.sink.append(whole);
  state.chunks.push({ ...what, offset: state.offset });
  state.offset += whole.length;
  state.previousCrc = headerCrc(header);
}

/** The index repeats every chunk's place and extent; the trailer says where it starts. */
function close(state: WriterState): void {
  if (state.closed) return;
  state.closed = true;
  flush(state);
  const out = byteWriter();
  writeVarint(out, state.chunks.length);
  for (const { offset, kind, events, firstSeq, firstTick, lastTick } of state.chunks) {
    for (const value of [offset, kind, events, firstSeq, firstTick, lastTick]) writeVarint(out, value);
  }
  const indexOffset = state.offset;
  writeChunk(state, { ...EVENTLESS, kind: CHUNK.index }, out.bytes.slice(0, out.length));
  state.sink.append(encodeTrailer(indexOffset));
}
