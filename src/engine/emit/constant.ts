import * as L from '../state/layout.ts';
import type { V, Width } from '../wasm/function-builder.ts';
import type { Size } from './flag-builder.ts';
import type { InstructionReader, Ordinal } from './reader.ts';

/** Where code for known instructions keeps what the register block holds elsewhere, and how it goes on from them. */
export interface RegionCode {
  i32(value: number): V;
  i64(value: number): V;
  add(a: V, b: V): V;
  and(a: V, b: V): V;
  state64(address: number): V;
  load(type: 'i32' | 'i64', address: V, width: Width, offset?: number): V;
  store(address: V, value: V, width: Width, offset?: number): void;
  extendU(value: V): V;
  /** The number of a constant address. */
  addressOf(v: V): number;
  constantFrom(low: number, high: number): V;

  /** Of a general register from `byte` on, as many bytes as `size`. */
  readGeneral(index: number, byte: number, size: Size): V;
  writeGeneral(index: number, byte: number, size: Size, value: V): void;
  ticksLeft(): V;
  setTicksLeft(ticks: V): void;

  /** Go on at the record the instruction's near branch leads to; 0: that is not known. */
  branch(target: number): void;
  /** Leave: look `rip` up. */
  leaveTo(rip: V): void;
  /** Go on with the instruction after this one, from within it. */
  skip(): void;
  /** Leave: this instruction is begun anew by the handlers. */
  giveUp(): void;
  /** Leave: its ticks are used up. */
  pause(): void;
}

/**
 * Answers with constants, read from an instruction's record while code is emitted for it. General registers are where
 * the region keeps them. What the instruction cannot do by itself is left to its handler, before any of it is done.
 */
export class ConstantReader implements InstructionReader {
  /** The record at hand. */
  record = 0;
  /** Its code is 64-bit code, whose rip is not cut. */
  isLong = true;
  private readonly f: RegionCode;
  private readonly view: DataView;

  constructor(f: RegionCode, view: DataView) {
    this.f = f;
    this.view = view;
  }

  private byte(field: number): V {
    return this.f.i32(this.view.getUint8(this.record + field));
  }
  private word(field: number): V {
    return this.f.i32(this.view.getUint16(this.record + field, true));
  }
  slot(ordinal: Ordinal): V {
    return this.word(L.R_REG[ordinal]);
  }
  immediate(size: Size): V {
    const { f, view, record } = this;
    if (size === 8) return this.whole();
    if (size === 1) return this.byte(L.R_IMM);
    return size === 2 ? this.word(L.R_IMM) : f.i32(view.getInt32(record + L.R_IMM, true));
  }
  private whole(): V {
    const { view, record } = this;
    return this.f.constantFrom(view.getInt32(record + L.R_IMM, true), view.getInt32(record + L.R_IMM + 4, true));
  }
  base(): V {
    return this.word(L.R_BASE);
  }
  index(): V {
    return this.word(L.R_INDEX);
  }
  scale(): V {
    return this.byte(L.R_SCALE);
  }
  displacement(): V {
    return this.f.i32(this.view.getInt32(this.record + L.R_DISP, true));
  }
  wrap(): V {
    return this.byte(L.R_WRAP);
  }
  segment(): V {
    return this.byte(L.R_SEGMENT);
  }
  segmentBase(): V {
    return this.word(L.R_SEGBASE);
  }
  nextRip(): V {
    return this.masked(this.fromPage(this.following()));
  }
  /** Page offset of the instruction after it. */
  private following(): V {
    return this.f.i64(this.view.getUint16(this.record + L.R_NEXT, true));
  }
  private fromPage(offset: V): V {
    return this.f.add(this.f.state64(L.RIP_PAGE), offset);
  }
  private masked(rip: V): V {
    return this.isLong ? rip : this.f.and(rip, this.f.state64(L.RIP_MASK));
  }
  /** How far from the code page's first byte the near branch leads, as rip counts. */
  private sum(): V {
    return this.fromPage(this.f.add(this.whole(), this.following()));
  }
  target(): V {
    const isCut = this.view.getUint8(this.record + L.R_CUT) !== 0;
    return this.f.and(this.sum(), this.f.i64(isCut ? 0xffff : 0xffff_ffff));
  }

  readSlot(slot: V, size: Size): V {
    const { f } = this;
    const at = f.addressOf(slot);
    if (at === L.ZERO_SLOT) return size === 8 ? f.i64(0) : f.i32(0);
    if (at >= L.GPR && at < L.ZERO_SLOT) return f.readGeneral((at - L.GPR) >> 3, at & 7, size);
    return size === 8 ? f.load('i64', f.i32(0), 8, at) : f.load('i32', f.i32(0), size as 1 | 2 | 4, at);
  }
  writeSlot(slot: V, size: Size, value: V): void {
    const { f } = this;
    const at = f.addressOf(slot);
    if (at >= L.GPR && at < L.ZERO_SLOT) f.writeGeneral((at - L.GPR) >> 3, at & 7, size, value);
    else if (size === 4) f.store(f.i32(0), f.extendU(value), 8, at);
    else f.store(f.i32(0), value, size as Width, at);
  }
  ticks(): V {
    return this.f.ticksLeft();
  }
  setTicks(ticks: V): void {
    this.f.setTicksLeft(ticks);
  }

  // What comes after the instruction is the region's business: it goes on there.
  next(): void {}
  ended(): void {}
  returnNext(): void {
    this.f.skip();
  }
  takeBranch(): void {
    const target = this.view.getUint32(this.record + L.R_TARGET, true);
    if (target === 0) this.f.leaveTo(this.masked(this.sum()));
    else this.f.branch(target);
  }
  takeBranchTo(rip: V): void {
    const target = this.view.getUint32(this.record + L.R_TARGET, true);
    if (target === 0) this.f.leaveTo(rip);
    else this.f.branch(target);
  }
  jump(rip: V): void {
    this.f.leaveTo(rip);
  }
  again(): void {
    this.f.pause();
  }
  stop(): void {
    this.f.giveUp();
  }
  assist(): void {
    this.f.giveUp();
  }
  assistWithin(): void {
    this.f.giveUp();
  }
}
