import type { Size } from '../../../src/engine/emit/builder.ts';
import type { InstructionReader, Ordinal, Tier } from '../../../src/engine/emit/reader.ts';
import { FN, GLOBAL } from '../../../src/engine/emit/shared.ts';
import * as L from '../../../src/engine/state/layout.ts';
import type { FunctionBuilder, V, Variable, Width } from '../../../src/engine/wasm/function-builder.ts';

/** One instruction's micro-op record, as numbers. */
export interface Known {
  readonly record: number;
  readonly slots: readonly [number, number, number];
  readonly immediate: bigint;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly wrap: number;
  readonly segment: number;
  readonly segmentBase: number;
  /** Record of the branch's target, or 0. */
  readonly target: number;
  /** Its operand size is 16 bits. */
  readonly cut: boolean;
  readonly nextRip: bigint;
}

const REGISTERS = 16;

/**
 * Answers with constants, and keeps the general registers and the ticks in locals: they are in the register block again
 * whenever somebody else looks, as translated code would have it. An absent base is the constant 0.
 */
class ConstantReader implements InstructionReader {
  private readonly f: FunctionBuilder;
  private readonly known: Known;
  private readonly registers: readonly Variable[];
  private readonly ticksLeft: Variable;

  constructor(f: FunctionBuilder, known: Known) {
    this.f = f;
    this.known = known;
    this.registers = Array.from({ length: REGISTERS }, () => f.variable('i64'));
    this.ticksLeft = f.variable('i32');
    this.fetch();
  }

  /** From the register block to the locals. */
  private fetch(): void {
    const { f } = this;
    this.registers.forEach((local, at) => f.set(local, f.load('i64', f.i32(L.GPR + 8 * at), 8)));
    f.set(this.ticksLeft, f.globalGet(GLOBAL.ticks, 'i32'));
  }
  /** And back. */
  private put(): void {
    const { f } = this;
    this.registers.forEach((local, at) => f.store(f.i32(L.GPR + 8 * at), f.get(local), 8));
    f.globalSet(GLOBAL.ticks, f.get(this.ticksLeft));
  }

  slot(ordinal: Ordinal): V {
    return this.f.i32(this.known.slots[ordinal]);
  }
  immediate(size: Size): V {
    const cut = BigInt.asUintN(8 * size, this.known.immediate);
    return size === 8 ? this.f.i64(cut) : this.f.i32(Number(cut));
  }
  base(): V {
    return this.f.i32(this.known.base);
  }
  index(): V {
    return this.f.i32(this.known.index);
  }
  scale(): V {
    return this.f.i32(this.known.scale);
  }
  displacement(): V {
    return this.f.i32(this.known.displacement);
  }
  wrap(): V {
    return this.f.i32(this.known.wrap);
  }
  segment(): V {
    return this.f.i32(this.known.segment);
  }
  segmentBase(): V {
    return this.f.i32(this.known.segmentBase);
  }
  nextRip(): V {
    return this.f.i64(this.known.nextRip);
  }

  target(): V {
    const { cut, immediate, nextRip } = this.known;
    return this.f.i64((nextRip + immediate) & (cut ? 0xffffn : 0xffff_ffffn));
  }

  readSlot(slot: V, size: Size): V {
    const { f } = this;
    const place = this.place(slot);
    if (Number(f.constantOf(slot)) === L.ZERO_SLOT) return size === 8 ? f.i64(0) : f.i32(0);
    if (place === undefined) return size === 8 ? f.load('i64', slot, 8) : f.load('i32', slot, size as 1 | 2 | 4);
    const value = f.shrU(f.get(place.local), f.i64(place.shift));
    return size === 8 ? value : f.zeroExtend(f.wrap(value), size as Width);
  }
  writeSlot(slot: V, size: Size, value: V): void {
    const { f } = this;
    const place = this.place(slot);
    if (place === undefined) {
      if (size === 4) f.store(slot, f.extendU(value), 8);
      else f.store(slot, value, size as Width);
      return;
    }
    const { local, shift } = place;
    if (size >= 4) {
      f.set(local, f.extendU(value));
      return;
    }
    const mask = ((1n << BigInt(8 * size)) - 1n) << BigInt(shift);
    const cut = f.and(f.shl(f.extendU(value), f.i64(shift)), f.i64(mask));
    f.set(local, f.or(f.and(f.get(local), f.i64(~mask)), cut));
  }
  /** The local that holds what is at an address, and how far from its lowest bit; undefined: none does. */
  private place(slot: V): { local: Variable; shift: number } | undefined {
    const address = this.f.constantOf(slot);
    if (address === undefined) return undefined;
    const at = Number(address) - L.GPR;
    const local = this.registers[at >> 3];
    return at < 0 || local === undefined ? undefined : { local, shift: 8 * (at & 7) };
  }
  ticks(): V {
    return this.f.get(this.ticksLeft);
  }
  setTicks(ticks: V): void {
    this.f.set(this.ticksLeft, ticks);
  }

  private get following(): V {
    return this.f.i32(this.known.record + L.RECORD);
  }
  /** Go on with a record, or with what a function names that may look at the registers. */
  private leave(next: () => V): void {
    this.put();
    this.f.return(next());
  }
  next(): void {
    this.put();
    this.f.result(this.following);
  }
  ended(): void {
    this.f.trap();
  }
  returnNext(): void {
    this.leave(() => this.following);
  }
  takeBranch(): void {
    const { f, known } = this;
    const unlinked = (): V => f.call(FN.branch, [f.i32(known.record)], 'i32');
    this.leave(() => (known.target === 0 ? unlinked() : f.i32(known.target)));
  }
  takeBranchTo(rip: V): void {
    if (this.known.target === 0) this.jump(rip);
    else this.leave(() => this.f.i32(this.known.target));
  }
  jump(rip: V): void {
    this.leave(() => this.f.call(FN.lookup, [rip], 'i32'));
  }
  again(): void {
    this.leave(() => this.f.i32(this.known.record));
  }
  stop(): void {
    this.leave(() => this.f.i32(0));
  }
  assist(id: number): void {
    this.leave(() => this.routine(id));
  }
  assistWithin(id: number): void {
    this.put();
    const next = this.routine(id);
    this.fetch();
    this.f.if(this.f.eqz(next), () => this.stop());
  }
  private routine(id: number): V {
    return this.f.call(FN.assist, [this.f.i32(id), this.f.i32(this.known.record)], 'i32');
  }
}

/** Code for one instruction. It returns what a handler returns. */
export const constantTier = (known: Known): Tier => ({
  signature: { params: [], results: ['i32'] },
  reader: (f) => new ConstantReader(f, known),
});
