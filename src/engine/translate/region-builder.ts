import { MeaningBuilder, type Condition, type Size, type V, type Variable } from '../emit/builder.ts';
import { ConstantReader, type RegionCode } from '../emit/constant.ts';
import { GLOBAL } from '../emit/shared.ts';
import * as L from '../state/layout.ts';
import type { Width } from '../wasm/function-builder.ts';
import { localOf } from '../wasm/values.ts';
import { compared } from './compared.ts';
import { DEAD, type FlagState, isPending, PARKED, parkedAs, type Pending, STORED, valuesOf } from './flag-state.ts';
import { REGION_FN } from './region-module.ts';

/** A meaning asks for something translated code cannot do. */
export class Untranslatable extends Error {}
/** The instruction does different things to the flags on different ways through it: it is to be emitted again, as such. */
export class Forks extends Error {}
/** Flags are asked for that were believed dead. */
export class NotDead extends Error {}

/** (record) -> record to go on with, as a handler has it. */
export const SIGNATURE = { params: ['i32'], results: ['i32'] } as const;

/** What the instruction at hand does first with the flags as they were: an exit is a use. */
export type FlagUse = 'none' | 'use' | 'kill';

/**
 * The same meanings, emitted for instructions that are known: constants for what a record says, locals for general
 * registers, flags and ticks. All is in the register block again where the region is left. What an instruction cannot
 * do by itself, a miss in the TLB included, is its handler's: the region is left before anything of it is done.
 */
export class RegionBuilder extends MeaningBuilder<ConstantReader> implements RegionCode {
  private readonly general: (Variable | undefined)[] = [];
  private readonly written = new Set<number>();
  private readonly flagResult: Variable;
  private readonly flagCin: Variable;
  private readonly flagCf: Variable;
  private readonly flagKind: Variable;
  private readonly ticks: Variable;
  /** The record to go on with, and the rip to look up where that is 0. */
  private readonly onward: Variable;
  private readonly rip: Variable;
  /** Ticks to give back. */
  private readonly refund: Variable;
  private context: Variable | undefined;
  private usesFlags = false;
  private writesFlags = false;
  private flags: FlagState = STORED;
  /** Flags as they were before the instruction at hand. */
  private before: FlagState = STORED;
  private isForked = false;
  private use: FlagUse = 'none';
  /** Temporaries that may be in use, and free ones by type. A temporary: local << 3 | type. */
  private taken: number[] = [];
  private readonly free: readonly number[][] = [[], [], [], [], []];
  private readonly pins: number[] = [];
  private isPooling = false;
  private exitDepth = 0;
  private instructionDepth = 0;
  /** Ticks of the block that are taken for the instruction at hand and those after it. */
  private unused = 0;
  /** The record to give the instruction at hand up to. */
  private handlerRecord = 0;
  private leaveInstruction: (() => void) | undefined;
  private onBranch: ((target: number) => void) | undefined;

  constructor(view: DataView) {
    super({ signature: SIGNATURE, reader: (f) => new ConstantReader(f as unknown as RegionCode, view) });
    this.flagResult = this.variable('i64');
    this.flagCin = this.variable('i64');
    this.flagCf = this.variable('i32');
    this.flagKind = this.variable('i32');
    this.refund = this.variable('i32');
    this.ticks = this.variable('i32');
    this.onward = this.variable('i32');
    this.rip = this.variable('i64');
    this.isPooling = true;
  }

  // Temporaries: V8's baseline compiler is quadratic in locals, so they are used again after every instruction.

  protected override fresh(type: number): number {
    if (!this.isPooling) return super.fresh(type);
    const local = this.free[type]?.pop() ?? super.fresh(type);
    this.taken.push((local << 3) | type);
    return local;
  }
  private lasting(type: 'i32' | 'i64'): Variable {
    this.isPooling = false;
    const variable = this.variable(type);
    this.isPooling = true;
    return variable;
  }
  /** The instruction at hand is done: what it computed is of no use but to flags. */
  private release(): void {
    let kept = 0;
    for (const each of this.taken) {
      if ((this.pins[each >> 3] ?? 0) > 0) this.taken[kept++] = each;
      else (this.free[each & 7] as number[]).push(each >> 3);
    }
    this.taken.length = kept;
  }
  private pin(state: FlagState, by: 1 | -1): void {
    for (const value of valuesOf(state)) {
      const local = localOf(value);
      if (local >= 0) this.pins[local] = (this.pins[local] ?? 0) + by;
    }
  }

  // The way through a region.

  /** Emit what `body` emits as the body of a region: whatever leaves it gets to what stands behind it. */
  whole(body: () => void): void {
    this.block(() => {
      this.exitDepth = this.depth;
      body();
    });
  }
  /** Emit an instruction. `unused`: ticks of its block for it and what follows in the block. */
  instructionAt(
    record: number,
    handlerRecord: number,
    unused: number,
    isForked: boolean,
    emit: (m: MeaningBuilder) => void,
    onBranch: ((target: number) => void) | undefined,
  ): FlagUse {
    this.instruction.record = record;
    this.handlerRecord = handlerRecord;
    this.unused = unused;
    this.use = isForked ? 'use' : 'none';
    this.isForked = isForked;
    if (isForked) this.settle();
    this.before = this.flags;
    this.onBranch = onBranch;
    if (!isForked) this.straight(emit);
    else if (onBranch !== undefined) emit(this as unknown as MeaningBuilder);
    else {
      this.block((leave) => {
        this.leaveInstruction = leave;
        this.straight(emit);
      });
      this.leaveInstruction = undefined;
    }
    this.isForked = false;
    this.release();
    // What stands at the other end of a branch may ask for anything.
    return onBranch === undefined ? this.use : 'use';
  }
  private straight(emit: (m: MeaningBuilder) => void): void {
    this.instructionDepth = this.depth;
    emit(this as unknown as MeaningBuilder);
  }
  /** A mark to come back to with `rewind`, when an instruction has to be emitted another way. */
  mark(): { readonly length: number; readonly depth: number; readonly flags: FlagState } {
    return { length: this.code.length, depth: this.depth, flags: this.flags };
  }
  rewind(to: { readonly length: number; readonly depth: number; readonly flags: FlagState }): void {
    this.code.length = to.length;
    this.depth = to.depth;
    this.setFlags(to.flags);
    this.leaveInstruction = undefined;
  }

  /** Keep the flags as they are now while another way is emitted, which `body` does. */
  aside(body: () => void): void {
    const { flags, taken } = this;
    this.pin(flags, 1);
    this.taken = [];
    body();
    this.taken = [...taken, ...this.taken];
    this.setFlags(flags);
    this.pin(flags, -1);
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

  // Leaving.

  leaveTo(rip: V): void {
    this.putFlags(this.flags);
    this.set(this.rip, rip);
    this.set(this.onward, this.i32(0));
    this.branchTo(this.exitDepth);
  }
  giveUp(): void {
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
  override raise(): void {
    this.giveUp();
  }
  override refundTick(): void {
    throw new Untranslatable('a pseudo-instruction');
  }
  override call(index: number): V {
    throw new Untranslatable(`a call of function ${index}`);
  }
  override globalGet(index: number, type: 'i32' | 'i64'): V {
    if (index === GLOBAL.context) return this.get(this.contextVariable());
    throw new Untranslatable(`global ${index} of type ${type}`);
  }
  private contextVariable(): Variable {
    this.context ??= this.lasting('i64');
    return this.context;
  }

  // Registers.

  addressOf(v: V): number {
    return this.constants.lowOf(v);
  }
  constantFrom(low: number, high: number): V {
    return this.constants.make(true, low, high);
  }
  private generalVariable(index: number): Variable {
    let variable = this.general[index];
    if (variable === undefined) {
      variable = this.lasting('i64');
      this.general[index] = variable;
    }
    return variable;
  }
  readGeneral(index: number, byte: number, size: Size): V {
    const whole = this.get(this.generalVariable(index));
    if (size === 8) return whole;
    const low = this.wrap(byte === 0 ? whole : this.shrU(whole, this.i64(8 * byte)));
    return this.zeroExtend(low, size as Width);
  }
  writeGeneral(index: number, byte: number, size: Size, value: V): void {
    const variable = this.generalVariable(index);
    this.written.add(index);
    if (size === 8) return this.set(variable, value);
    if (size === 4) return this.set(variable, this.extendU(value));
    const low = size === 1 ? 0xff : 0xffff;
    const cut = this.extendU(this.zeroExtend(value, size as Width));
    const placed = byte === 0 ? cut : this.shl(cut, this.i64(8 * byte));
    const mask = this.constantFrom(~(low << (8 * byte)), -1);
    this.set(variable, this.or(this.and(this.get(variable), mask), placed));
  }
  ticksLeft(): V {
    return this.add(this.get(this.ticks), this.i32(this.unused - 1));
  }
  setTicksLeft(ticks: V): void {
    this.set(this.ticks, this.sub(ticks, this.i32(this.unused - 1)));
  }

  // Memory.

  override pointer(linear: V, size: number, access: 'read' | 'write' | 'readWrite'): V {
    const page = this.wrap(this.shrU(linear, this.i64(12)));
    const hashed = this.and(this.add(page, this.shrU(page, this.i32(L.TLB_BITS))), this.i32((1 << L.TLB_BITS) - 1));
    const entry = this.shl(hashed, this.i32(5));
    const last = size === 1 ? linear : this.add(linear, this.i64(size - 1));
    const tag = this.or(this.and(last, this.i64(-4096)), this.get(this.contextVariable()));
    const stored = this.load('i64', entry, 8, L.TLB + (access === 'read' ? L.TAG_READ : L.TAG_WRITE));
    this.if(this.ne(stored, tag), () => this.giveUp());
    return this.add(this.wrap(linear), this.load('i32', entry, 4, L.TLB + L.TLB_ADDEND));
  }
  /** What hits in the TLB is in one page of memory. */
  override commit(): void {}
  override checkedLinear(segment: V, offset: V, size: number, write: boolean): V {
    const at = this.addressOf(segment);
    const range = L.SEG_RANGE + 32 * at + (write ? 16 : 0);
    const last = this.add(offset, this.i64(size - 1));
    const low = this.geU(offset, this.state64(range));
    const high = this.leU(last, this.state64(range + 8));
    this.if(this.eqz(this.and(low, high)), () => this.giveUp());
    return this.and(this.add(offset, this.state64(L.SEG_BASE + 8 * at)), this.state64(L.LINEAR_MASK));
  }

  // Flags.

  private note(use: 'use' | 'kill'): void {
    if (this.use === 'none') this.use = use;
  }
  private setFlags(state: FlagState): void {
    this.pin(state, 1);
    this.pin(this.flags, -1);
    this.flags = state;
  }
  private known(state: FlagState): void {
    this.note('kill');
    if (this.depth !== this.instructionDepth) throw new Forks();
    this.setFlags(state);
  }
  /** Put the flags into their locals, here and for what follows. */
  private settle(): void {
    const state = this.flags;
    if (state.kind === 'stored') return;
    this.usesFlags = true;
    if (state.kind === 'dead') throw new NotDead();
    this.setFlags(STORED);
    if (!isPending(state)) this.settleParked();
    else if (state.kind === 'logic') super.logicFlags(state.result, state.size);
    else this.flagsOf(state.a, state.b, state.result, state.size, this.carryOf(state));
    this.set(this.flagKind, this.i32(0));
  }
  private settleParked(): void {
    const kind = this.get(this.flagKind);
    this.if(kind, () => {
      super.call(REGION_FN.settle, [kind, this.get(this.flagResult), this.get(this.flagCin)]);
      this.fetchFlags();
    });
  }
  private fetchFlags(): void {
    this.set(this.flagResult, super.state64(L.FLAG_RESULT));
    this.set(this.flagCin, super.state64(L.FLAG_CIN));
    this.set(this.flagCf, super.state32(L.FLAG_CF));
  }
  /** Put what the flags follow from where a block expects it, here and for what follows. */
  private park(): void {
    this.putFlags(this.flags);
    if (isPending(this.flags)) this.setFlags(PARKED);
  }
  /** The same on this way only. */
  private putFlags(state: FlagState): void {
    this.usesFlags = true;
    if (state.kind === 'dead') throw new NotDead();
    if (!isPending(state)) return;
    this.writesFlags = true;
    const [a, b] = state.kind === 'logic' ? [state.result, this.i64(0)] : [state.a, state.b];
    this.set(this.flagResult, this.extendU(a));
    this.set(this.flagCin, this.extendU(b));
    this.set(this.flagKind, this.i32(parkedAs(state)));
  }
  private carryOf(state: Pending): V {
    if (state.kind === 'logic') return this.i32(0);
    if (state.kind === 'sub') return this.ltU(state.a, state.b);
    if (state.size >= 4) return this.ltU(state.result, state.a);
    return this.and(this.shrU(this.add(state.a, state.b), this.i32(8 * state.size)), this.i32(1));
  }
  /** Before something asks for the flags themselves. */
  private asked(): void {
    this.note('use');
    if (this.flags.kind === 'stored') return;
    if (this.depth !== this.instructionDepth) throw new Forks();
    this.settle();
  }

  override addWithFlags(a: V, b: V, size: Size, carryIn?: V): V {
    if (carryIn !== undefined || this.isForked) return super.addWithFlags(a, b, size, carryIn);
    const result = size < 4 ? this.zeroExtend(this.add(a, b), size as Width) : this.add(a, b);
    this.known({ kind: 'add', a, b, result, size });
    return result;
  }
  override subWithFlags(a: V, b: V, size: Size, borrowIn?: V): V {
    if (borrowIn !== undefined || this.isForked) return super.subWithFlags(a, b, size, borrowIn);
    const result = size < 4 ? this.zeroExtend(this.sub(a, b), size as Width) : this.sub(a, b);
    this.known({ kind: 'sub', a, b, result, size });
    return result;
  }
  override logicFlags(result: V, size: Size): void {
    if (this.isForked) super.logicFlags(result, size);
    else this.known({ kind: 'logic', result, size });
  }
  override setLazyFlags(result: V, cin: V, carry: V): void {
    this.usesFlags = true;
    this.writesFlags = true;
    this.note(this.depth === this.instructionDepth ? 'kill' : 'use');
    if (this.flags.kind !== 'stored') {
      this.known(STORED);
      this.set(this.flagKind, this.i32(0));
    }
    this.set(this.flagResult, result);
    this.set(this.flagCin, cin);
    this.set(this.flagCf, carry);
  }
  override stepFlags(a: V, result: V, size: Size, overflow: V): void {
    const carry = this.carry();
    const half = this.and(this.xor(this.wide(a, size), this.wide(result, size)), this.i64(0x10));
    const top = this.shl(this.extendU(this.xor(overflow, carry)), this.i64(63));
    this.setLazyFlags(this.wide(result, size), this.or(half, top), carry);
  }
  override carry(): V {
    const { flags } = this;
    this.note('use');
    if (flags.kind === 'dead') throw new NotDead();
    return isPending(flags) ? this.carryOf(flags) : super.carry();
  }
  override condition(condition: Condition): V {
    this.note('use');
    return compared(this as unknown as MeaningBuilder, condition, this.flags) ?? super.condition(condition);
  }
  override state64(address: number): V {
    if (address === L.FLAG_RESULT) return this.flag(this.flagResult);
    if (address === L.FLAG_CIN) return this.flag(this.flagCin);
    return super.state64(address);
  }
  override state32(address: number): V {
    return address === L.FLAG_CF ? this.flag(this.flagCf) : super.state32(address);
  }
  private flag(variable: Variable): V {
    this.asked();
    this.usesFlags = true;
    return this.get(variable);
  }
  override setState64(address: number, value: V): void {
    if (address === L.FLAG_RESULT) return this.setFlag(this.flagResult, value);
    if (address === L.FLAG_CIN) return this.setFlag(this.flagCin, value);
    if (address === L.RIP_PAGE || address === L.RIP) throw new Untranslatable('rip');
    super.setState64(address, value);
  }
  override setState32(address: number, value: V): void {
    if (address === L.FLAG_CF) this.setFlag(this.flagCf, value);
    else super.setState32(address, value);
  }
  private setFlag(variable: Variable, value: V): void {
    this.asked();
    this.usesFlags = true;
    this.writesFlags = true;
    this.set(variable, value);
  }

  // The ends.

  /** What stands before the body, and behind it: registers come, and go back. */
  assembled(): { locals: readonly number[]; code: Uint8Array } {
    this.release();
    const body = this.code.copy();
    this.code.clear();
    for (const [index, variable] of this.general.entries()) {
      if (variable !== undefined) this.set(variable, this.load('i64', this.i32(0), 8, L.GPR + 8 * index));
    }
    if (this.usesFlags) this.fetchFlags();
    if (this.context !== undefined) this.set(this.context, super.globalGet(1, 'i64'));
    // The dispatcher took a tick for the region's entry.
    this.set(this.ticks, this.add(super.globalGet(0, 'i32'), this.i32(1)));
    this.code.append(body);
    this.epilogue();
    return { locals: this.locals, code: this.code.copy() };
  }
  private epilogue(): void {
    for (const index of this.written) {
      this.store(this.i32(0), this.get(this.generalVariable(index)), 8, L.GPR + 8 * index);
    }
    if (this.writesFlags) this.returnFlags();
    this.globalSet(0, this.add(this.get(this.ticks), this.get(this.refund)));
    const onward = this.get(this.onward);
    this.if(onward, () => this.return(onward));
    this.result(super.call(REGION_FN.lookup, [this.get(this.rip)], 'i32'));
  }
  private returnFlags(): void {
    const kind = this.get(this.flagKind);
    this.if(
      kind,
      () => super.call(REGION_FN.settle, [kind, this.get(this.flagResult), this.get(this.flagCin)]),
      () => {
        super.setState64(L.FLAG_RESULT, this.get(this.flagResult));
        super.setState64(L.FLAG_CIN, this.get(this.flagCin));
        super.setState32(L.FLAG_CF, this.get(this.flagCf));
      },
    );
  }
}
