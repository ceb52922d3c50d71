import type { FunctionBody } from '../wasm/module.ts';
import { type Block, type Blocks, blocksFrom, type Instruction, type Records } from './blocks.ts';
import { type ControlFlow, controlFlow } from './control-flow.ts';
import type { Form } from '../meanings/form.ts';
import { RegionBuilder } from './region-builder.ts';
import { type FlagUse, Forks, NotDead } from './region-flags.ts';
import { SIGNATURE, Untranslatable } from './region-locals.ts';

/** What has been learnt of forms while instructions of them were emitted. */
export interface Learnt {
  readonly flags: Map<Form, FlagUse>;
  readonly forks: Set<Form>;
  /** Forms that cannot be translated. */
  readonly refused: Set<Form>;
}

/** A region that was emitted. */
export interface Region {
  readonly body: FunctionBody;
  readonly instructions: number;
}

/** Emits the code of blocks in the order and nesting their control flow asks for. */
class RegionEmitter {
  private readonly m: RegionBuilder;
  private readonly blocks: Blocks;
  private readonly flow: ControlFlow;
  private readonly entry: number;
  /** Records that stand for those that have been made entries of regions, or the record itself. */
  private readonly original: (record: number) => number;
  private readonly learnt: Learnt;
  private readonly labels = new Map<number, () => void>();
  /** Whether flags are asked for at the beginning of a block: said once, for all ways to it. */
  private readonly live = new Map<number, boolean>();
  /** Of the instruction at hand. */
  current: Form | undefined;

  constructor(records: Records, blocks: Blocks, entry: number, original: (record: number) => number, learnt: Learnt) {
    this.m = new RegionBuilder(records.view);
    this.m.instruction.isLong = records.isLong;
    this.blocks = blocks;
    this.entry = entry;
    this.original = original;
    this.learnt = learnt;
    this.flow = controlFlow(blocks, entry);
  }

  emit(): FunctionBody {
    const { m, entry } = this;
    m.whole(() => {
      m.enterBlock(this.block(entry).instructions.length, this.original(entry), true);
      this.tree(entry);
    });
    return { signature: SIGNATURE, ...m.assembled() };
  }

  private block(at: number): Block {
    return this.blocks.get(at) as Block;
  }

  /** A block, and behind it those it dominates to which several ways lead. */
  private tree(at: number): void {
    const { m, flow } = this;
    const merges = [...(flow.merges.get(at) ?? [])].sort((a, b) => this.order(b) - this.order(a));
    if (!flow.isLoop.has(at)) {
      this.before(merges, at);
      return;
    }
    m.loop((again) => {
      this.labels.set(at, () => again());
      this.before(merges, at);
    });
    m.trap();
  }
  private before(merges: readonly number[], at: number): void {
    const [last, ...rest] = merges;
    if (last === undefined) {
      this.code(at);
      return;
    }
    this.m.block((leave) => {
      this.labels.set(last, () => leave());
      this.before(rest, at);
    });
    this.tree(last);
  }
  private order(at: number): number {
    return this.flow.order.get(at) as number;
  }

  private code(at: number): void {
    const { m } = this;
    const block = this.block(at);
    const { instructions } = block;
    if (this.isFound(at)) m.startBlock(this.isLive(at));
    for (const [place, instruction] of instructions.entries()) {
      this.instruction(at, block, instruction, instructions.length - place);
    }
    const last = instructions.at(-1) as Instruction;
    if (last.form.flow === 'next' || last.form.flow === 'branch') this.edge(at, block.fall);
  }

  private instruction(at: number, block: Block, { record, form }: Instruction, unused: number): void {
    const { m, learnt } = this;
    const onBranch =
      form.flow === 'next'
        ? undefined
        : (target: number) => {
            if (block.taken === 0) m.leaveAt(target);
            else m.aside(() => this.edge(at, block.taken));
          };
    const emitAs = (isForked: boolean): FlagUse =>
      m.instructionAt({
        ...{ record, handlerRecord: this.original(record), unused, isForked, onBranch },
        emit: (builder) => form.emit(builder),
      });
    this.current = form;
    const mark = m.mark();
    try {
      learn(learnt, form, emitAs(learnt.forks.has(form)));
    } catch (error) {
      if (!(error instanceof Forks) || this.current !== form || learnt.forks.has(form)) throw error;
      learnt.forks.add(form);
      learn(learnt, form, 'use');
      m.rewind(mark);
      emitAs(true);
    }
  }

  /** Go on from a block at a record, which is a block of the region or not. */
  private edge(from: number, to: number): void {
    const { m, flow } = this;
    if (!this.blocks.has(to) || flow.isCut(from, to)) {
      m.leaveAt(to === this.entry ? this.original(to) : to);
      return;
    }
    const isFound = this.isFound(to);
    m.enterBlock(this.block(to).instructions.length, this.original(to), isFound && this.isLive(to));
    if (this.order(to) <= this.order(from) || flow.isMerge.has(to)) this.labels.get(to)?.();
    else this.tree(to);
  }

  /** Several ways lead to a block: what comes along them is where it expects it. */
  private isFound(at: number): boolean {
    return this.flow.isLoop.has(at) || this.flow.isMerge.has(at);
  }

  /** Somebody may ask for the flags as they are at the beginning of a block. */
  private isLive(at: number): boolean {
    const known = this.live.get(at);
    if (known !== undefined) return known;
    const first = this.block(at).instructions.find(({ form }) => this.learnt.flags.get(form) !== 'none');
    const live = first === undefined || this.learnt.flags.get(first.form) !== 'kill';
    this.live.set(at, live);
    return live;
  }
}

/** A form that is not always alike is taken for one that uses flags. */
function learn({ flags }: Learnt, form: Form, use: FlagUse): void {
  const known = flags.get(form) ?? use;
  flags.set(form, known === use ? use : 'use');
}

/** How often a region is begun anew with what was learnt on the way. */
const TRIES = 32;

/** Translate what can be reached from the record `entry`, at most `limit` instructions; undefined: nothing can. */
export function buildRegion(
  records: Records,
  entry: number,
  original: (record: number) => number,
  learnt: Learnt,
  limit: number,
): Region | undefined {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const blocks = blocksFrom(records, entry, limit);
    if (!blocks.has(entry)) return undefined;
    const emitter = new RegionEmitter(records, blocks, entry, original, learnt);
    try {
      return { body: emitter.emit(), instructions: instructionsOf(blocks) };
    } catch (error) {
      const form = emitter.current as Form;
      if (error instanceof Untranslatable) learnt.refused.add(form);
      else if (error instanceof NotDead) learn(learnt, form, 'use');
      else throw error;
    }
  }
  return undefined;
}

function instructionsOf(blocks: Blocks): number {
  let count = 0;
  for (const { instructions } of blocks.values()) count += instructions.length;
  return count;
}
