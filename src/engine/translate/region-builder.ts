import type { MeaningBuilder, V, Variable } from '../emit/builder.ts';
import type { RegionCode } from '../emit/constant.ts';
import * as L from '../state/layout.ts';
import { DEAD, type FlagState, PARKED, STORED, valuesOf } from './flag-state.ts';
import { type FlagUse, Forks, RegionFlags } from './region-flags.ts';
import { REGION_FN, REGION_GLOBAL } from './region-module.ts';

/** An instruction to be emitted. */
export interface Emission {
  readonly record: number;
  /** Who is to do it where the region cannot. */
  readonly handlerRecord: number;
  /** Ticks of its block for it and what follows in the block. */
  readonly unused: number;
  readonly isForked: boolean;
  readonly emit: (m: MeaningBuilder) => void;
  /** What happens where its near branch leads to a record; undefined: it is no branch. */
  readonly onBranch: ((target: number) => void) | undefined;
}

/** A place in the code to come back to. */
interface Mark {
  readonly length: number;
  readonly depth: number;
  readonly flags: FlagState;
}

/**
 * The same meanings, emitted for instructions that are known: constants for what a record says, locals for general
 * registers, flags and ticks. All is in the register block again where the region is left. What an instruction cannot
 * do by itself, a miss in the TLB included, is its handler's: the region is left before anything of it is done.
 */
export class RegionBuilder extends RegionFlags implements RegionCode {
  private readonly ticks: Variable;
  /** Ticks to give back where an instruction is given up. */
  private readonly refund: Variable;
  /** The record to go on with, and the rip to look up where that is 0. */
  private readonly onward: Variable;
  private readonly rip: Variable;
  /** Flags as they were before the instruction at hand. */
  private before: FlagState = STORED;
  private exitDepth = 0;
  private unused = 0;
  private handlerRecord = 0;
  private leaveInstruction: (() => void) | undefined;
  private onBranch: ((target: number) => void) | undefined;

  constructor(view: DataView) {
    super(view);
    this.ticks = this.variable('i32');
    this.refund = this.variable('i32');
    this.onward = this.variable('i32');
    this.rip = this.variable('i64');
    this.isPooling = true;
  }

  // The way through a region.

  /** Emit what `body` emits as the body of the region: whatever leaves it gets to what stands behind it. */
  whole(body: () => void): void {
    this.block(() => {
      this.exitDepth = this.depth;
      body();
    });
  }

  /** Emit an instruction. Returns what it does with flags. */
  instructionAt({ record, handlerRecord, unused, isForked, emit, onBranch }: Emission): FlagUse {
    this.instruction.record = record;
    this.handlerRecord = handlerRecord;
    this.unused = unused;
    this.use = isForked ? 'use' : 'none';
    this.isForked = isForked;
    if (isForked) this.settle();
    this.before = this.flags;
    this.onBranch = onBranch;
    if (isForked && onBranch === undefined) this.forked(emit);
    else this.straight(emit);
    this.isForked = false;
    this.release();
    // What stands at the other end of a branch may ask for anything.
    return onBranch === undefined ? this.use : 'use';
  }
  private forked(emit: (m: MeaningBuilder) => void): void {
    this.block((leave) => {
      this.leaveInstruction = leave;
      this.straight(emit);
    });
    this.leaveInstruction = undefined;
  }
  private straight(emit: (m: MeaningBuilder) => void): void {
    this.instructionDepth = this.depth;
    emit(this as unknown as MeaningBuilder);
  }
  mark(): Mark {
    return { length: this.code.length, depth: this.depth, flags: this.flags };
  }
  /** Forget what was emitted since: the instruction has to be emitted another way. */
  rewind({ length, depth, flags }: Mark): void {
    this.cutTo(length);
    this.depth = depth;
    this.setFlags(flags);
    this.leaveInstruction = undefined;
  }

  /** Emit another way with `body`, and come back to the flags and values of this one. */
  aside(body: () => void): void {
    const { flags, taken } = this;
    this.pin(valuesOf(flags), 1);
    this.taken = [];
    body();
    this.taken = [...taken, ...this.taken];
    this.setFlags(flags);
    this.pin(valuesOf(flags), -1);
  }
  /** Take a block's ticks, or leave for its first record. `parks`: it finds flags where blocks expect them. */
  enterBlock(ticks: number, record: number, parks: boolean): void {
    const left = this.get(this.ticks);
    this.if(this.ltU(left, this.i32(ticks)), () => this.leaveAt(record));
    this.set(this.ticks, this.sub(left, this.i32(ticks)));
    if (parks) this.park();
    this.release();
  }
  /** At the first instruction of a block with several ways to it. */
  startBlock(live: boolean): void {
    this.setFlags(live ? PARKED : DEAD);
    this.release();
  }
  /** Leave with the record to go on with. */
  leaveAt(record: number): void {
    this.putFlags(this.flags);
    this.set(this.onward, this.i32(record));
    this.branchTo(this.exitDepth);
  }

  // How instructions end.

  leaveTo(rip: V): void {
    this.putFlags(this.flags);
    this.set(this.rip, rip);
    this.set(this.onward, this.i32(0));
    this.branchTo(this.exitDepth);
  }
  override giveUp(): void {
    this.note('use');
    this.putFlags(this.isForked ? STORED : this.before);
    this.set(this.refund, this.i32(this.unused));
    this.set(this.onward, this.i32(this.handlerRecord));
    this.branchTo(this.exitDepth);
  }
  pause(): void {
    if (!this.isForked) throw new Forks();
    this.set(this.onward, this.i32(this.handlerRecord));
    this.branchTo(this.exitDepth);
  }
  skip(): void {
    if (!this.isForked || this.leaveInstruction === undefined) throw new Forks();
    this.leaveInstruction();
  }
  branch(target: number): void {
    this.onBranch?.(target);
  }
  ticksLeft(): V {
    return this.add(this.get(this.ticks), this.i32(this.unused - 1));
  }
  setTicksLeft(ticks: V): void {
    this.set(this.ticks, this.sub(ticks, this.i32(this.unused - 1)));
  }

  // The ends of the region.

  /** All of it: registers come, the body, and registers go back. */
  assembled(): { locals: readonly number[]; code: Uint8Array } {
    this.release();
    const body = this.code.copy();
    this.cutTo(0);
    for (const [index, variable] of this.general.entries()) {
      if (variable !== undefined) this.set(variable, this.load('i64', this.i32(0), 8, L.GPR + 8 * index));
    }
    this.fetchFlags();
    if (this.context !== undefined) this.set(this.context, this.globalGetOwn(REGION_GLOBAL.context, 'i64'));
    // The dispatcher took a tick for the region's entry.
    this.set(this.ticks, this.add(this.globalGetOwn(REGION_GLOBAL.ticks, 'i32'), this.i32(1)));
    this.code.append(body);
    this.epilogue();
    return { locals: this.locals, code: this.code.copy() };
  }
  private epilogue(): void {
    for (const index of this.written) {
      this.store(this.i32(0), this.get(this.generalVariable(index)), 8, L.GPR + 8 * index);
    }
    this.returnFlags();
    this.globalSet(REGION_GLOBAL.ticks, this.add(this.get(this.ticks), this.get(this.refund)));
    const onward = this.get(this.onward);
    this.if(onward, () => this.return(onward));
    this.result(this.callOwn(REGION_FN.lookup, [this.get(this.rip)], 'i32'));
  }
}
