import { invariant } from '../base/invariant.ts';
import { FlagBuilder, type Size } from './flag-builder.ts';
import * as L from './layout.ts';
import type { V, Variable, Width } from './wasm/function-builder.ts';

/** Operand kinds of a handler: register, immediate, memory (flat base+disp, flat general, segmented), branch. */
export type OperandKind = 'r' | 'i' | 'mA' | 'mB' | 'mC' | 'x';

/** Indices of what every handler may call: imports first, then the shared functions (`shared.ts`). */
export const FN = { translate: 0, commit: 1, resolve: 2, assist: 3, lookup: 4, branch: 5, segment: 6 } as const;
export const GLOBAL = { ticks: 0, fault: 1, context: 2 } as const;

/** What `translate` is asked for. */
export const ACCESS = { read: 0, write: 1, readWrite: 2, execute: 3 } as const;

export const SEGMENT = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const;

const GENERAL_PROTECTION = 13;

/** An operand as a meaning sees it. Memory is accessed when read or written, never before. */
export interface Operand {
  readonly kind: OperandKind;
  readonly size: Size;
  read(): V;
  /** Write; a memory operand read before as `rw` is written through the same pointer. */
  write(value: V): void;
  /** Declare that the coming read will be followed by a write. */
  readForWrite(): V;
  /** Linear address of a memory operand; byte displacement added. */
  address(displacement?: V): V;
}

/** The verbs an instruction's meaning is written in: guest registers, memory and flags over WebAssembly. */
export class MeaningBuilder extends FlagBuilder {
  readonly record: V;

  constructor() {
    super({ params: ['i32'], results: ['i32'] });
    this.record = this.param(0);
  }

  // Fields of the record. The translated tier will answer these with constants.
  field(offset: number, width: 1 | 2 | 4): V {
    return this.load('i32', this.record, width, offset);
  }
  slot(index: 0 | 1 | 2): V {
    return this.field(L.R_REG[index], 2);
  }
  immediate(size: Size): V {
    if (size === 8) return this.load('i64', this.record, 8, L.R_IMM);
    return this.load('i32', this.record, size === 1 ? 1 : size === 2 ? 2 : 4, L.R_IMM);
  }

  // Registers.
  readSlot(slot: V, size: Size): V {
    return size === 8 ? this.load('i64', slot, 8) : this.load('i32', slot, size as 1 | 2 | 4);
  }
  /** A 32-bit write clears the upper half. SDM Vol. 1, 3.4.1.1. */
  writeSlot(slot: V, size: Size, value: V): void {
    if (size === 4) this.store(slot, this.extendU(value), 8);
    else this.store(slot, value, size as Width);
  }
  readRegister(index: number, size: Size): V {
    return this.readSlot(this.i32(L.GPR + 8 * index), size);
  }
  writeRegister(index: number, size: Size, value: V): void {
    this.writeSlot(this.i32(L.GPR + 8 * index), size, value);
  }
  // Integers of an operand's size: sizes 1, 2, 4 live zero-extended in i32, size 8 in i64.
  num(size: Size, value: number | bigint): V {
    return this.const(size === 8 ? 'i64' : 'i32', value);
  }
  /** Bring an i32/i64 value to the type of `size`, zero-extending or cutting. */
  fit(value: V, size: Size): V {
    if (size === 8) return this.extendU(value);
    const low = this.wrap(value);
    return size === 4 ? low : this.zeroExtend(low, size as Width);
  }
  // Ends of a handler.
  next(): void {
    this.result(this.add(this.record, this.i32(L.RECORD)));
  }
  returnNext(): void {
    this.return(this.add(this.record, this.i32(L.RECORD)));
  }
  /** Take the near relative branch of the record. */
  takeBranch(): void {
    const target = this.field(L.R_TARGET, 4);
    this.if(target, () => this.return(target));
    this.return(this.call(FN.branch, [this.record], 'i32'));
  }
  /** Where the near relative branch of the record leads, in a segment that may end before: #GP(0) beyond its end. */
  targetWithin(): V {
    const next = this.add(this.state64(L.RIP_PAGE), this.extendU(this.field(L.R_NEXT, 2)));
    const mask = this.select(this.field(L.R_CUT, 1), this.i64(0xffff), this.i64(0xffff_ffff));
    return this.within(this.and(this.add(next, this.load('i64', this.record, 8, L.R_IMM)), mask));
  }
  /** An offset of the code segment; #GP(0) beyond its end. SDM Vol. 3, 5.3. */
  within(rip: V): V {
    this.if(this.gtU(rip, this.state64(L.CODE_LIMIT)), () => this.raise(GENERAL_PROTECTION));
    return rip;
  }
  /** Take the branch to `rip`, which lies in the segment. */
  takeBranchTo(rip: V): void {
    const target = this.field(L.R_TARGET, 4);
    this.if(target, () => this.return(target));
    this.jump(rip);
  }
  /** Continue at `rip` (i64, already wrapped). */
  jump(rip: V): void {
    this.return(this.call(FN.lookup, [rip], 'i32'));
  }
  /** rip of the instruction after this one. */
  nextRip(): V {
    const sum = this.add(this.state64(L.RIP_PAGE), this.extendU(this.field(L.R_NEXT, 2)));
    return this.and(sum, this.state64(L.RIP_MASK));
  }
  raise(vector: number, error = 0): void {
    this.setState32(L.STOP_CODE, this.i32(L.STOP.fault));
    this.setState32(L.FAULT_VECTOR, this.i32(vector));
    this.setState32(L.FAULT_ERROR, this.i32(error));
    this.return(this.i32(0));
  }
  /** Give a tick back: pseudo-instructions and restarted ones do not retire. */
  refundTick(): void {
    this.globalSet(GLOBAL.ticks, this.add(this.globalGet(GLOBAL.ticks, 'i32'), this.i32(1)));
  }

  // Memory.
  /** Effective address of the record, wrapped to the address size (no segment). */
  effectiveAddress(kind: OperandKind): V {
    const base = this.load('i64', this.field(L.R_BASE, 2), 8);
    const displacement = this.extendS(this.field(L.R_DISP, 4));
    if (kind === 'mA') return this.add(base, displacement);
    const index = this.load('i64', this.field(L.R_INDEX, 2), 8);
    const scaled = this.shl(index, this.extendU(this.field(L.R_SCALE, 1)));
    const sum = this.add(this.add(base, scaled), displacement);
    const wrap = this.extendU(this.field(L.R_WRAP, 1));
    return this.shrU(this.shl(sum, wrap), wrap);
  }
  /** Linear address of the record's memory operand, checked where segments count. */
  linearAddress(kind: OperandKind, size: number, write: boolean, displacement?: V): V {
    let offset = this.effectiveAddress(kind);
    if (displacement !== undefined) {
      const wrap = this.extendU(this.field(L.R_WRAP, 1));
      offset = this.shrU(this.shl(this.add(offset, displacement), wrap), wrap);
    }
    if (kind === 'mA') return offset;
    if (kind === 'mB') return this.add(offset, this.load('i64', this.field(L.R_SEGBASE, 2), 8));
    return this.checkedLinear(this.field(L.R_SEGMENT, 1), offset, size, write);
  }
  /** Segment limit and type check (SDM Vol. 3, 5.3-5.5); returns the linear address. */
  checkedLinear(segment: V, offset: V, size: number, write: boolean): V {
    const linear = this.call(FN.segment, [segment, offset, this.i32(size | (write ? 0x100 : 0))], 'i64');
    this.if(this.globalGet(GLOBAL.fault, 'i32'), () => this.return(this.i32(0)));
    return linear;
  }
  /** Host pointer for an access of `size` bytes at `linear`; leaves the handler on a fault. */
  pointer(linear: V, size: number, access: 'read' | 'write' | 'readWrite'): V {
    const page = this.wrap(this.shrU(linear, this.i64(12)));
    const hashed = this.and(this.add(page, this.shrU(page, this.i32(L.TLB_BITS))), this.i32((1 << L.TLB_BITS) - 1));
    const entry = this.shl(hashed, this.i32(5));
    const last = size === 1 ? linear : this.add(linear, this.i64(size - 1));
    const tag = this.or(this.and(last, this.i64(-4096)), this.globalGet(GLOBAL.context, 'i64'));
    const stored = this.load('i64', entry, 8, L.TLB + (access === 'read' ? L.TAG_READ : L.TAG_WRITE));
    const pointer = this.variable('i32');
    this.if(
      this.eq(stored, tag),
      () => this.set(pointer, this.add(this.wrap(linear), this.load('i32', entry, 4, L.TLB + L.TLB_ADDEND))),
      () => {
        const high = this.wrap(this.shrU(linear, this.i64(32)));
        const want = this.i32(size | (ACCESS[access] << 8));
        this.set(pointer, this.call(FN.translate, [this.wrap(linear), high, want], 'i32'));
        this.if(this.eqz(this.get(pointer)), () => this.return(this.i32(0)));
      },
    );
    return this.get(pointer);
  }
  /** After a store through `pointer`: finish page-crossing and memory-mapped writes. */
  commit(pointer: V): void {
    this.if(this.eq(pointer, this.i32(L.BOUNCE)), () => this.call(FN.commit, []));
  }
  loadLinear(linear: V, size: Size): V {
    const pointer = this.pointer(linear, size, 'read');
    return this.loadAt(pointer, size);
  }
  storeLinear(linear: V, size: Size, value: V): void {
    const pointer = this.pointer(linear, size, 'write');
    this.storeAt(pointer, size, value);
    this.commit(pointer);
  }
  loadAt(pointer: V, size: Size, offset = 0): V {
    if (size === 16) return this.loadVector(pointer, offset);
    return size === 8 ? this.load('i64', pointer, 8, offset) : this.load('i32', pointer, size as 1 | 2 | 4, offset);
  }
  storeAt(pointer: V, size: Size, value: V, offset = 0): void {
    if (size === 16) this.storeVector(pointer, value, offset);
    else this.store(pointer, value, size as Width, offset);
  }

  /** The `index`-th operand of the instruction. `slot`: which register field of the record it uses. */
  operand(kind: OperandKind, size: Size, slot: 0 | 1 | 2): Operand {
    if (kind === 'r') return this.registerOperand(size, slot);
    if (kind === 'i') return this.immediateOperand(size);
    return this.memoryOperand(kind, size);
  }
  private registerOperand(size: Size, slot: 0 | 1 | 2): Operand {
    const read = (): V => (size === 16 ? this.loadVector(this.slot(slot)) : this.readSlot(this.slot(slot), size));
    return {
      kind: 'r',
      size,
      read,
      readForWrite: read,
      write: (value) => {
        if (size === 16) this.storeVector(this.slot(slot), value);
        else this.writeSlot(this.slot(slot), size, value);
      },
      address: () => this.slot(slot),
    };
  }
  private immediateOperand(size: Size): Operand {
    const read = (): V => this.immediate(size);
    const refuse = (): never => {
      invariant(false, 'an immediate is only read');
    };
    return { kind: 'i', size, read, readForWrite: refuse, write: refuse, address: refuse };
  }
  private memoryOperand(kind: OperandKind, size: Size): Operand {
    let held: V | undefined;
    return {
      kind,
      size,
      read: () => this.loadLinear(this.linearAddress(kind, size, false), size),
      readForWrite: () => {
        held = this.pointer(this.linearAddress(kind, size, true), size, 'readWrite');
        return this.loadAt(held, size);
      },
      write: (value) => {
        if (held === undefined) {
          this.storeLinear(this.linearAddress(kind, size, true), size, value);
          return;
        }
        this.storeAt(held, size, value);
        this.commit(held);
      },
      address: (displacement) => this.linearAddress(kind, size, false, displacement),
    };
  }

  // Calls out.
  /** Let a TypeScript routine do (the rest of) the instruction; it says where to go on. */
  assist(id: number): void {
    this.return(this.call(FN.assist, [this.i32(id), this.record], 'i32'));
  }

  // The stack. `flat`: 64-bit mode.
  push64or(size: Size, value: V, flat: boolean): void {
    if (flat) {
      const top = this.sub(this.readRegister(4, 8), this.i64(size));
      this.storeLinear(top, size, value);
      this.writeRegister(4, 8, top);
      return;
    }
    const mask = this.state64(L.STACK_MASK);
    const old = this.readRegister(4, 8);
    const top = this.and(this.sub(old, this.i64(size)), mask);
    this.storeLinear(this.checkedLinear(this.i32(SEGMENT.ss), top, size, true), size, value);
    this.writeRegister(4, 8, this.or(this.and(old, this.not(mask)), top));
  }
  /** Value at the top of the stack; the pointer is moved by `popped`. */
  top(size: Size, flat: boolean, displacement = 0): V {
    const rsp = this.readRegister(4, 8);
    const at = this.add(rsp, this.i64(displacement));
    if (flat) return this.loadLinear(at, size);
    const offset = this.and(at, this.state64(L.STACK_MASK));
    return this.loadLinear(this.checkedLinear(this.i32(SEGMENT.ss), offset, size, false), size);
  }
  popped(bytes: V, flat: boolean): void {
    const old = this.readRegister(4, 8);
    const moved = this.add(old, bytes);
    if (flat) {
      this.writeRegister(4, 8, moved);
      return;
    }
    const mask = this.state64(L.STACK_MASK);
    this.writeRegister(4, 8, this.or(this.and(old, this.not(mask)), this.and(moved, mask)));
  }
}

export { CONDITIONS, type Condition, type Size } from './flag-builder.ts';
export type { V, Variable };
