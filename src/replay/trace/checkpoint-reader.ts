import { Problem } from '../../base/problem.ts';
import type { ExecutionControls } from '../../kvm/guest.ts';
import type { Checkpoint } from '../../reducers/checkpoint.ts';
import {
  BLOCK_PAGES,
  PAGE_SIZE,
  type Page,
  type PageImage,
  type RegionImage,
  ZERO_PAGE,
} from '../../reducers/pages.ts';
import type { PendingInput } from '../../reducers/parts.ts';
import { seal } from '../../reducers/seal.ts';
import type { MachineState } from '../../reducers/state.ts';
import type { StoredCheckpoints } from '../timeline.ts';
import { type ByteReader, byteReader, readVarint } from './bytes.ts';
import { decodeTrailer, PREAMBLE_LENGTH, TRAILER_LENGTH } from './chunk.ts';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_MAGIC,
  type CheckpointIdentity,
  PAGES_PER_CHUNK,
  PART,
  type PartPlace,
  unframed,
} from './checkpoint-format.ts';
import { readPlain } from './plain-value.ts';
import type { ByteSource, Inflate } from './opened.ts';

/** A file of checkpoints, opened; or why it cannot be used. */
export type OpenedCheckpoints =
  | { readonly stored: StoredCheckpoints; readonly problem?: undefined }
  | { readonly stored?: undefined; readonly problem: string };

interface Index {
  readonly identity: CheckpointIdentity;
  readonly inputs: readonly PendingInput[];
  readonly checkpoints: readonly PartPlace[];
  readonly pageChunks: readonly number[];
}

interface ReaderState {
  readonly source: ByteSource;
  readonly inflate: Inflate;
  readonly index: Index;
  /** Pages read and still in use somewhere: the same page is the same object in every checkpoint. */
  readonly pages: Map<number, WeakRef<Page>>;
  damaged(what: string): void;
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
  const again = 'They are not used; `retrovisor index` makes them anew.';
  const preamble = source.read(0, PREAMBLE_LENGTH);
  if (preamble.length < PREAMBLE_LENGTH || !CHECKPOINT_MAGIC.every((byte, at) => preamble[at] === byte)) {
    return { problem: `${source.name} holds no checkpoints.` };
  }
  if (new DataView(preamble.buffer, preamble.byteOffset).getUint32(8, true) !== CHECKPOINT_FORMAT) {
    return { problem: `The checkpoints in ${source.name} are of another format. ${again}` };
  }
  const index = readIndex(source, inflate);
  if (index === undefined) return { problem: `The checkpoints in ${source.name} are incomplete or damaged. ${again}` };
  if (index.identity.trace !== wanted.trace) {
    return { problem: `The checkpoints in ${source.name} belong to another recording. ${again}` };
  }
  if (index.identity.program !== wanted.program) {
    return { problem: `The checkpoints in ${source.name} were made by another build of this program. ${again}` };
  }
  const state = { source, inflate, index, pages: new Map(), damaged };
  return {
    stored: {
      places: index.checkpoints.map(({ seq, tick }) => ({ seq, tick })),
      inputs: index.inputs,
      load: (place, first) => load(state, place, first),
    },
  };
}

function readIndex(source: ByteSource, inflate: Inflate): Index | undefined {
  const end = source.size - TRAILER_LENGTH;
  const offset = end < PREAMBLE_LENGTH ? undefined : decodeTrailer(source.read(end, TRAILER_LENGTH));
  if (offset === undefined) return undefined;
  const raw = unframed(source, inflate, offset, ({ kind }) => kind === PART.index);
  // Its checksum says that it is what was written: its shape needs no proof.
  return raw === undefined ? undefined : (readPlain(byteReader(raw)) as Index);
}

const INSTEAD = 'the run is replayed instead. `retrovisor index` makes the checkpoints anew.';

/** Something of the file is not what was written. */
class Damaged extends Problem {}

function load(state: ReaderState, place: number, first: Checkpoint): Checkpoint | undefined {
  try {
    return assembled(state, place, first);
  } catch (problem) {
    if (!(problem instanceof Damaged)) throw problem;
    state.damaged(problem.message);
    return undefined;
  }
}

/** The page numbers of every checkpoint up to the wanted one, laid over the first moment; and its state. */
function assembled(state: ReaderState, place: number, first: Checkpoint): Checkpoint {
  const changes = first.pages.map(() => new Map<number, number>());
  let plain: unknown;
  for (let at = 0; at <= place; at += 1) {
    const input = byteReader(checkpointChunk(state, at));
    for (const region of changes) readChanges(input, region);
    if (at === place) plain = readPlain(input);
  }
  const { state: machine, controls } = plain as { state: MachineState; controls: ExecutionControls[] };
  const { seq, tick } = state.index.checkpoints[place];
  const pages: PageImage = first.pages.map((region, at) => changed(state, region, changes[at]));
  return { seq, tick, state: seal(undefined, machine), pages, controls };
}

function checkpointChunk({ source, inflate, index }: ReaderState, at: number): Uint8Array {
  const { offset, seq, tick } = index.checkpoints[at];
  const raw = unframed(source, inflate, offset, (header) => {
    return header.kind === PART.checkpoint && header.firstSeq === seq && header.firstTick === tick;
  });
  if (raw === undefined) throw new Damaged(`Checkpoint ${at} in ${source.name} is damaged: ${INSTEAD}`);
  return raw;
}

function readChanges(input: ByteReader, region: Map<number, number>): void {
  for (let left = readVarint(input); left > 0; left -= 1) {
    const page = readVarint(input);
    region.set(page, readVarint(input));
  }
}

function changed(state: ReaderState, region: RegionImage, changes: ReadonlyMap<number, number>): RegionImage {
  const blocks = region.slice();
  const opened = new Map<number, Page[]>();
  for (const [page, number] of changes) {
    const at = Math.floor(page / BLOCK_PAGES);
    let block = opened.get(at);
    if (block === undefined) {
      block = (blocks[at] ?? []).slice();
      opened.set(at, block);
    }
    const length = block[page % BLOCK_PAGES]?.length ?? PAGE_SIZE;
    block[page % BLOCK_PAGES] = pageNumbered(state, number, length);
  }
  for (const [at, block] of opened) blocks[at] = block;
  return blocks;
}

function pageNumbered(state: ReaderState, number: number, length: number): Page {
  if (number === 0) return ZERO_PAGE;
  const page = state.pages.get(number)?.deref() ?? readPages(state, number);
  return page.length === length ? page : page.slice(0, length);
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
