import { ByteReader } from '../../base/byte-reader.ts';
import { Problem } from '../../base/problem.ts';
import type { Checkpoint } from '../../machine/checkpoint.ts';
import { MOST } from '../../vmm/limits.ts';
import { BASE_BLOCK, BASE_PAGE } from '../../memory/images.ts';
import { BLOCK_PAGES, PAGE_SIZE, type Page, type PageImage, type RegionImage, ZERO_PAGE } from '../../memory/pages.ts';
import type { PendingInput } from '../../machine/parts.ts';
import { seal } from '../../reducers/seal.ts';
import { unzigzag } from './bytes.ts';
import { PREAMBLE_LENGTH } from './chunk.ts';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_MAGIC,
  type CheckpointIdentity,
  OF_BASE,
  PAGES_PER_CHUNK,
  pageAtFirst,
  PART,
  unframed,
} from './checkpoint-format.ts';
import { type CheckpointIndex, readIndex } from './checkpoint-index.ts';
import { isStateOf } from './checkpoint-state.ts';
import { readPlain } from './plain-value.ts';
import type { ByteSource, Inflate } from './opened.ts';

/** Checkpoints somebody left when the same run was run before. */
export interface StoredCheckpoints {
  /** Where they stand, oldest first; each lies where its tick is first reached. */
  readonly places: readonly Pick<Checkpoint, 'seq' | 'tick'>[];
  /** Inputs of the run up to the last of them. */
  readonly inputs: readonly PendingInput[];
  /** One of them; undefined when it turns out unreadable. `first` is the run's first moment, which they build on. */
  load(place: number, first: Checkpoint): Checkpoint | undefined;
  /** A machine broke that had been put in the state of one: none of them is what it was called. */
  refuse(): void;
}

/** A file of checkpoints, opened; or why it cannot be used. */
export type OpenedCheckpoints =
  | { readonly stored: StoredCheckpoints; readonly problem?: undefined }
  | { readonly stored?: undefined; readonly problem: string };

interface ReaderState {
  readonly source: ByteSource;
  readonly inflate: Inflate;
  readonly index: CheckpointIndex;
  /** Pages read and still in use somewhere: the same page is the same object in every checkpoint. */
  readonly pages: Map<number, WeakRef<Page>>;
  /** Of each checkpoint read so far and each region: pages that changed and their new numbers, in turn. */
  readonly changes: (readonly Int32Array[])[];
  /** The checkpoint read last, if somebody still holds it: most pages of the next are its own. */
  last: Laid | undefined;
  damaged(what: string): void;
}

/** Numbers of a region's pages that are not what they were at the first moment. */
type Numbers = ReadonlyMap<number, number>;

/** Page numbers of every region at a checkpoint, and the pages they stand for. */
interface Laid {
  readonly numbers: readonly Numbers[];
  readonly image: WeakRef<PageImage>;
}

/**
 * Open checkpoints left beside a trace. Whatever is wrong with them costs time, never the truth: they are passed by
 * with a sentence. `damaged` is told when a checkpoint turns out unreadable later.
 */
export function openCheckpoints(
  source: ByteSource,
  inflate: Inflate,
  wanted: CheckpointIdentity,
  damaged: (sentence: string) => void,
): OpenedCheckpoints {
  const again = 'They cannot be used; `retrovisor index` makes them anew.';
  const preamble = source.read(0, PREAMBLE_LENGTH);
  if (preamble.length < PREAMBLE_LENGTH || !CHECKPOINT_MAGIC.every((byte, at) => preamble[at] === byte)) {
    return { problem: `${source.name} holds no checkpoints: it cannot be used.` };
  }
  const format = new DataView(preamble.buffer, preamble.byteOffset).getUint32(8, true);
  if (format !== CHECKPOINT_FORMAT) {
    const which = `are in format ${format}, and this program reads format ${CHECKPOINT_FORMAT}`;
    return { problem: `The checkpoints in ${source.name} ${which}. ${again}` };
  }
  const index = readIndex(source, inflate);
  if (index === undefined) return { problem: `The checkpoints in ${source.name} are incomplete or damaged. ${again}` };
  if (index.identity.trace !== wanted.trace) {
    return { problem: `The checkpoints in ${source.name} belong to another recording. ${again}` };
  }
  if (index.identity.program !== wanted.program) {
    return { problem: `The checkpoints in ${source.name} were made by another build of this program. ${again}` };
  }
  const state = { source, inflate, index, pages: new Map(), changes: [], last: undefined, damaged };
  return {
    stored: {
      places: index.checkpoints.map(({ seq, tick }) => ({ seq, tick })),
      inputs: index.inputs,
      load: (place, first) => load(state, place, first),
      refuse: () => damaged(`The checkpoints in ${source.name} are of no state a machine can be in. ${again}`),
    },
  };
}

const REPLAYED = 'The run is replayed instead.';
const INSTEAD = 'the run is replayed instead. `retrovisor index` makes the checkpoints anew.';

/** Something of the file is not what was written. */
class Damaged extends Problem {}

function load(state: ReaderState, place: number, first: Checkpoint): Checkpoint | undefined {
  try {
    return assembled(state, place, first);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    state.damaged(problem instanceof Damaged ? problem.message : `${problem.message} ${REPLAYED}`);
    return undefined;
  }
}

/** The changes of every checkpoint up to the wanted one, laid over the first moment; and its state. */
function assembled(state: ReaderState, place: number, first: Checkpoint): Checkpoint {
  const numbers = first.pages.map(() => new Map<number, number>());
  for (let at = 0; at <= place; at += 1) {
    for (const [region, changes] of changesOf(state, at, numbers.length).entries()) lay(changes, numbers[region]!);
  }
  const { input } = checkpointAt(state, place, numbers.length);
  const machine = readPlain(input);
  const at = state.index.checkpoints[place]!;
  if (!isStateOf(machine, first.state, at)) {
    throw new Damaged(`Checkpoint ${place} in ${state.source.name} is not of this machine: ${INSTEAD}`);
  }
  const before = state.last?.image.deref();
  const from = before === undefined ? undefined : state.last;
  const pages: PageImage = numbers.map((wanted, at) => {
    const image = (before ?? first.pages)[at]!;
    const below = { have: from?.numbers[at], image, first: first.pages[at]!, memory: first.pages[0]! };
    return laidOver(state, below, wanted);
  });
  state.last = { numbers, image: new WeakRef(pages) };
  return { seq: at.seq, tick: at.tick, state: seal(undefined, machine), pages };
}

function lay(changes: Int32Array, numbers: Map<number, number>): void {
  for (let at = 0; at < changes.length; at += 2) numbers.set(changes[at]!, changes[at + 1]!);
}

function changesOf(state: ReaderState, at: number, regions: number): readonly Int32Array[] {
  state.changes[at] ??= checkpointAt(state, at, regions).changes;
  return state.changes[at];
}

/** One checkpoint's chunk: its changes, and the reader standing before its state. */
function checkpointAt({ source, inflate, index }: ReaderState, at: number, regions: number) {
  const { offset, seq, tick } = index.checkpoints[at]!;
  const raw = unframed(source, inflate, offset, (header) => {
    return header.kind === PART.checkpoint && header.firstSeq === seq && header.firstTick === tick;
  });
  if (raw === undefined) throw new Damaged(`Checkpoint ${at} in ${source.name} is damaged: ${INSTEAD}`);
  const input = new ByteReader(raw, `Checkpoint ${at} in ${source.name}`);
  const changes = Array.from({ length: regions }, () => readChanges(input));
  return { input, changes };
}

function readChanges(input: ByteReader): Int32Array {
  const changes = new Int32Array(input.count(2) * 2);
  for (let at = 0; at < changes.length; at += 1) changes[at] = unzigzag(input.varint());
  return changes;
}

/** What an image is laid over: pages with known numbers; at the first moment none is changed. */
interface Below {
  readonly have: Numbers | undefined;
  readonly image: RegionImage;
  readonly first: RegionImage;
  /** Guest memory at the first moment. */
  readonly memory: RegionImage;
}

/** Of a disk. */
const MOST_PAGES = MOST.driveBytes / PAGE_SIZE;

/** A region whose pages have the numbers wanted, sharing the blocks in which nothing differs. */
function laidOver(state: ReaderState, { have, image, first, memory }: Below, wanted: Numbers): RegionImage {
  const blocks = new Map<number, Page[]>();
  const isOfBase = first[0]?.[0] === BASE_PAGE;
  const put = (page: number, number: number | undefined): void => {
    const at = Math.floor(page / BLOCK_PAGES);
    // A disk may have grown since.
    const original = first[at]?.[page % BLOCK_PAGES] ?? (isOfBase && page < MOST_PAGES ? BASE_PAGE : undefined);
    if (original === undefined) return;
    const block = blocks.get(at) ?? (image[at] ?? BASE_BLOCK).slice();
    block[page % BLOCK_PAGES] = number === undefined ? original : pageNumbered(state, number, original.length, memory);
    blocks.set(at, block);
  };
  for (const [page, number] of wanted) if (number !== have?.get(page)) put(page, number);
  for (const page of have?.keys() ?? []) if (!wanted.has(page)) put(page, undefined);
  if (blocks.size === 0) return image;
  const length = Math.max(image.length, ...[...blocks.keys()].map((at) => at + 1));
  return Array.from({ length }, (_, at) => blocks.get(at) ?? image[at] ?? BASE_BLOCK);
}

function pageNumbered(state: ReaderState, number: number, length: number, memory: RegionImage): Page {
  if (number === 0) return ZERO_PAGE;
  if (number === OF_BASE) return BASE_PAGE;
  if (number < 0) {
    const place = pageAtFirst(number);
    const page = memory[Math.floor(place / BLOCK_PAGES)]?.[place % BLOCK_PAGES];
    if (page === undefined) throw new Damaged(`Pages in ${state.source.name} are of a larger memory: ${INSTEAD}`);
    return page;
  }
  const page = state.pages.get(number)?.deref() ?? readPages(state, number);
  // The last page of a region may be short; where the base was at first, it is whole.
  return page.length === length || length === 0 ? page : page.slice(0, length);
}

/** Read the chunk a page lies in, for that page and its neighbours: they were written, and are wanted, together. */
function readPages(state: ReaderState, number: number): Page {
  const { source, inflate, index, pages } = state;
  const chunk = Math.floor((number - 1) / PAGES_PER_CHUNK);
  const raw = unframed(source, inflate, index.pageChunks[chunk] ?? source.size, (header) => {
    return header.kind === PART.pages && header.firstSeq === chunk;
  });
  if (raw === undefined) throw new Damaged(`Pages in ${source.name} are damaged: ${INSTEAD}`);
  let wanted: Page | undefined;
  for (let at = 0; at * PAGE_SIZE < raw.length; at += 1) {
    const each = 1 + chunk * PAGES_PER_CHUNK + at;
    if (pages.get(each)?.deref() !== undefined) continue;
    const page = raw.slice(at * PAGE_SIZE, (at + 1) * PAGE_SIZE);
    pages.set(each, new WeakRef(page));
    if (each === number) wanted = page;
  }
  if (wanted === undefined) throw new Damaged(`A page is missing in ${source.name}: ${INSTEAD}`);
  return wanted;
}
