import type { Checkpoint } from '../../machine/checkpoint.ts';
import { xxh32 } from '../../base/xxh32.ts';
import { BASE_PAGE } from '../../memory/images.ts';
import { eachDifference, PAGE_SIZE, type Page, type PageImage, ZERO_PAGE } from '../../memory/pages.ts';
import type { PendingInput } from '../../machine/parts.ts';
import { byteWriter, writeVarint, written, zigzag } from './bytes.ts';
import { encodeTrailer, PREAMBLE_LENGTH } from './chunk.ts';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_MAGIC,
  type CheckpointIdentity,
  framed,
  OF_BASE,
  pageAtFirst,
  PAGES_PER_CHUNK,
  PART,
  type PartPlace,
} from './checkpoint-format.ts';
import { writePlain } from './plain-value.ts';
import type { ByteSink, Compress } from './writer.ts';

/** Checkpoints of one run being written beside its trace. */
export interface CheckpointWriter {
  /** Write one; later ones share its unchanged pages. */
  add(checkpoint: Checkpoint): void;
  /** Write the index. Without it the file counts for nothing. */
  close(identity: CheckpointIdentity, inputs: readonly PendingInput[]): void;
}

interface WriterState {
  readonly sink: ByteSink;
  readonly compress: Compress;
  readonly numbers: WeakMap<Page, number>;
  /** A page that has a number, by a hash of its bytes, while somebody holds it. */
  readonly alike: Map<number, WeakRef<Page>>;
  readonly pageChunks: number[];
  readonly checkpoints: PartPlace[];
  before: PageImage;
  pages: number;
  offset: number;
  ordinal: number;
}

/** Start a file. `first` is the run's first moment, which a reader has of its own: its pages are not written. */
export function createCheckpointWriter(sink: ByteSink, compress: Compress, first: Checkpoint): CheckpointWriter {
  const state: WriterState = {
    sink,
    compress,
    numbers: new WeakMap([
      [ZERO_PAGE, 0],
      [BASE_PAGE, OF_BASE],
    ]),
    alike: new Map(),
    pageChunks: [],
    checkpoints: [],
    before: first.pages,
    pages: 0,
    offset: PREAMBLE_LENGTH,
    ordinal: 0,
  };
  eachDifference(first.pages[0] ?? [], undefined, (page, content) => {
    if (content !== ZERO_PAGE) number(state, content, pageAtFirst(page));
  });
  const preamble = new Uint8Array(PREAMBLE_LENGTH);
  preamble.set(CHECKPOINT_MAGIC);
  new DataView(preamble.buffer).setUint32(8, CHECKPOINT_FORMAT, true);
  sink.append(preamble);
  return {
    add: (checkpoint) => add(state, checkpoint),
    close: (identity, inputs) => close(state, identity, inputs),
  };
}

function append(state: WriterState, kind: number, place: Omit<PartPlace, 'offset'>, raw: Uint8Array): number {
  const pack = kind === PART.pages && !isWorthPacking(raw, state.compress) ? asIs : state.compress;
  const bytes = framed({ ...place, kind, ordinal: state.ordinal }, raw, pack);
  const { offset } = state;
  state.sink.append(bytes);
  state.ordinal += 1;
  state.offset += bytes.length;
  return offset;
}

const asIs: Compress = (raw) => raw;

/** Pages that stay larger than this are packed already: a compressed kernel would cost most of the time for nothing. */
const HARDLY_SMALLER = 0.9 * PAGE_SIZE;

/** Judged by two of the pages. */
function isWorthPacking(raw: Uint8Array, compress: Compress): boolean {
  const middle = Math.floor(raw.length / PAGE_SIZE / 2) * PAGE_SIZE;
  return [0, middle].some((at) => compress(raw.subarray(at, at + PAGE_SIZE)).length < HARDLY_SMALLER);
}

/** What changed since the checkpoint before: new pages first, then the list of changes and the state. */
function add(state: WriterState, { seq, tick, pages, state: machine }: Checkpoint): void {
  const out = byteWriter();
  const fresh: Page[] = [];
  for (const [index, region] of pages.entries()) {
    const changes: number[] = [];
    eachDifference(region, state.before[index], (page, content) => {
      changes.push(page, numberOf(state, content, fresh));
    });
    writeVarint(out, changes.length / 2);
    for (const value of changes) writeVarint(out, zigzag(value));
  }
  writePlain(out, machine);
  for (let at = 0; at < fresh.length; at += PAGES_PER_CHUNK) writePages(state, fresh.slice(at, at + PAGES_PER_CHUNK));
  const offset = append(state, PART.checkpoint, { seq, tick }, written(out));
  state.checkpoints.push({ offset, seq, tick });
  state.before = pages;
}

/** The number of a page's content: 0 for zeroes, below for what power-on left in memory, else from 1 on as written. */
function numberOf(state: WriterState, page: Page, fresh: Page[]): number {
  const known = state.numbers.get(page) ?? numberOfAlike(state, page);
  if (known !== undefined) return known;
  const next = 1 + state.pageChunks.length * PAGES_PER_CHUNK + fresh.length;
  fresh.push(page);
  number(state, page, next);
  return next;
}

function number({ numbers, alike }: WriterState, page: Page, as: number): void {
  numbers.set(page, as);
  alike.set(hashOf(page), new WeakRef(page));
}

/** A kernel is copied about before it runs: the number of a page with the same bytes, if one is still held. */
function numberOfAlike({ numbers, alike }: WriterState, page: Page): number | undefined {
  const other = alike.get(hashOf(page))?.deref();
  if (other === undefined || other.length !== page.length) return undefined;
  for (let at = 0; at < page.length; at += 1) if (page[at] !== other[at]) return undefined;
  const same = numbers.get(other);
  if (same !== undefined) numbers.set(page, same);
  return same;
}

/** What is alike by it is compared. */
const hashOf = (page: Page): number => xxh32(page, 0);

function writePages(state: WriterState, pages: readonly Page[]): void {
  const raw = new Uint8Array(pages.length * PAGE_SIZE);
  for (const [at, page] of pages.entries()) raw.set(page, at * PAGE_SIZE);
  const number = state.pageChunks.length;
  state.pageChunks.push(append(state, PART.pages, { seq: number, tick: 0 }, raw));
}

function close(state: WriterState, identity: CheckpointIdentity, inputs: readonly PendingInput[]): void {
  const out = byteWriter();
  writePlain(out, { identity, inputs, checkpoints: state.checkpoints, pageChunks: state.pageChunks });
  const indexOffset = append(state, PART.index, { seq: 0, tick: 0 }, written(out));
  state.sink.append(encodeTrailer(indexOffset));
}
