import { invariant } from '../../base/invariant.ts';
import { FlagBuilder, type Size } from './flag-builder.ts';
import { ACCESS } from '../mmu/access.ts';
import * as L from '../state/layout.ts';
import type { V, Variable, Width } from '../wasm/function-builder.ts';
import type { InstructionReader, Ordinal, Tier } from './reader.ts';
import { FN, GLOBAL } from './shared.ts';
import { GPR, SEG } from '../../x86/registers.ts';
import { VECTOR } from '../../x86/exceptions.ts';

/** Operand kinds of a handler: register, immediate, memory (flat base+disp, flat general, segmented), branch. */
export type OperandKind = 'r' | 'i' | 'mA' | 'mB' | 'mC' | 'x';

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

/**
 * The verbs an instruction's meaning is written in: guest registers, memory and flags over WebAssembly. What is asked
 * of the instruction itself goes to a reader.
 */
export class MeaningBuilder<Reader extends InstructionReader = InstructionReader> extends FlagBuilder {
  readonly instruction: Reader;

  constructor(tier: Tier<Reader>) {
    super(tier.signature);
    this.instruction = tier.reader(this);
  }

  immediate(size: Size): V {
    return this.instruction.immediate(size);
  }

  // Registers.
  readSlot(slot: V, size: Size): V {
    return this.instruction.readSlot(slot, size);
  }
  writeSlot(slot: V, size: Size, value: V): void {
    this.instruction.writeSlot(slot, size, value);
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
  // Ends of the instruction.
  next(): void {
    this.instruction.next();
  }
  ended(): void {
    this.instruction.ended();
  }
  returnNext(): void {
    this.instruction.returnNext();
  }
  takeBranch(): void {
    this.instruction.takeBranch();
  }
  takeBranchTo(rip: V): void {
    this.instruction.takeBranchTo(rip);
  }
  jump(rip: V): void {
    this.instruction.jump(rip);
  }
  /** Where the near relative branch leads, in a segment that may end before: #GP(0) beyond its end. */
  targetWithin(): V {
    return this.within(this.instruction.target());
  }
  /** An offset of the code segment; #GP(0) beyond its end. SDM Vol. 3, 5.3. */
  within(rip: V): V {
    this.if(this.gtU(rip, this.state64(L.CODE_LIMIT)), () => this.raise(VECTOR.GP));
    return rip;
  }
  nextRip(): V {
    return this.instruction.nextRip();
  }
  raise(vector: number, error = 0): void {
    this.setState32(L.STOP_CODE, this.i32(L.STOP.fault));
    this.setState32(L.FAULT_VECTOR, this.i32(vector));
    this.setState32(L.FAULT_ERROR, this.i32(error));
    this.instruction.stop();
  }
  /** Give a tick back: pseudo-instructions and restarted ones do not retire. */
  refundTick(): void {
    this.instruction.setTicks(this.add(this.instruction.ticks(), this.i32(1)));
  }

  // Memory.
  /** Effective address of the memory operand, wrapped to the address size (no segment). */
  effectiveAddress(kind: OperandKind): V {
    const { instruction } = this;
    const base = this.readSlot(instruction.base(), 8);
    const displacement = this.extendS(instruction.displacement());
    if (kind === 'mA') return this.add(base, displacement);
    const index = this.readSlot(instruction.index(), 8);
    const scaled = this.shl(index, this.extendU(instruction.scale()));
    const sum = this.add(this.add(base, scaled), displacement);
    return this.cut(sum, this.addressWrap());
  }
  private addressWrap(): V {
    return this.extendU(this.instruction.wrap());
  }
  private cut(address: V, wrap: V): V {
    return this.shrU(this.shl(address, wrap), wrap);
  }
  /** Linear address of the memory operand, checked where segments count. */
  linearAddress(kind: OperandKind, size: number, write: boolean, displacement?: V): V {
    let offset = this.effectiveAddress(kind);
    if (displacement !== undefined) {
      const wrap = this.addressWrap();
      offset = this.cut(this.add(offset, displacement), wrap);
    }
    return kind === 'mA' ? offset : this.inSegment(offset, size, kind === 'mB', write);
  }
  /** Linear address of an offset in the memory operand's segment. `flat`: nothing but its base counts. */
  inSegment(offset: V, size: number, flat: boolean, write: boolean): V {
    const { instruction } = this;
    if (flat) return this.add(offset, this.readSlot(instruction.segmentBase(), 8));
    return this.checkedLinear(instruction.segment(), offset, size, write);
  }
  /** Segment limit and type check (SDM Vol. 3, 5.3-5.5); returns the linear address. */
  checkedLinear(segment: V, offset: V, size: number, write: boolean): V {
    const linear = this.call(FN.segment, [segment, offset, this.i32(size | (write ? 0x100 : 0))], 'i64');
    this.if(this.globalGet(GLOBAL.fault, 'i32'), () => this.instruction.stop());
    return linear;
  }
  /** The TLB's entry for an access; its tag, and what that is if the entry serves. */
  protected cached(linear: V, size: number, access: 'read' | 'write' | 'readWrite'): { entry: V; stored: V; tag: V } {
    const page = this.wrap(this.shrU(linear, this.i64(12)));
    const hashed = this.and(this.add(page, this.shrU(page, this.i32(L.TLB_BITS))), this.i32((1 << L.TLB_BITS) - 1));
    const entry = this.shl(hashed, this.i32(5));
    const last = size === 1 ? linear : this.add(linear, this.i64(size - 1));
    const tag = this.or(this.and(last, this.i64(-4096)), this.globalGet(GLOBAL.context, 'i64'));
    const stored = this.load('i64', entry, 8, L.TLB + (access === 'read' ? L.TAG_READ : L.TAG_WRITE));
    return { entry, stored, tag };
  }
  /** Host pointer to `linear` where the TLB's entry serves. */
  protected inCachedPage(entry: V, linear: V): V {
    return this.add(this.wrap(linear), this.load('i32', entry, 4, L.TLB + L.TLB_ADDEND));
  }
  /** Host pointer for an access of `size` bytes at `linear`; leaves the handler on a fault. */
  pointer(linear: V, size: number, access: 'read' | 'write' | 'readWrite'): V {
    const { entry, stored, tag } = this.cached(linear, size, access);
    const pointer = this.variable('i32');
    this.if(
      this.eq(stored, tag),
      () => this.set(pointer, this.inCachedPage(entry, linear)),
      () => {
        const high = this.wrap(this.shrU(linear, this.i64(32)));
        const want = this.i32(size | (ACCESS[access] << 8));
        this.set(pointer, this.call(FN.translate, [this.wrap(linear), high, want], 'i32'));
        this.if(this.eqz(this.get(pointer)), () => this.instruction.stop());
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

  /** An operand of the instruction. `ordinal`: if it is a register, the how-manieth. */
  operand(kind: OperandKind, size: Size, ordinal: Ordinal): Operand {
    if (kind === 'r') return this.registerOperand(size, ordinal);
    if (kind === 'i') return this.immediateOperand(size);
    return this.memoryOperand(kind, size);
  }
  private registerOperand(size: Size, ordinal: Ordinal): Operand {
    const slot = (): V => this.instruction.slot(ordinal);
    const read = (): V => (size === 16 ? this.loadVector(slot()) : this.readSlot(slot(), size));
    return {
      kind: 'r',
      size,
      read,
      readForWrite: read,
      write: (value) => {
        if (size === 16) this.storeVector(slot(), value);
        else this.writeSlot(slot(), size, value);
      },
      address: slot,
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
    this.instruction.assist(id);
  }

  // The stack. `flat`: 64-bit mode.
  push64or(size: Size, value: V, flat: boolean): void {
    if (flat) {
      const top = this.sub(this.readRegister(GPR.RSP, 8), this.i64(size));
      this.storeLinear(top, size, value);
      this.writeRegister(GPR.RSP, 8, top);
      return;
    }
    const mask = this.state64(L.STACK_MASK);
    const old = this.readRegister(GPR.RSP, 8);
    const top = this.and(this.sub(old, this.i64(size)), mask);
    this.storeLinear(this.checkedLinear(this.i32(SEG.SS), top, size, true), size, value);
    this.writeRegister(GPR.RSP, 8, this.or(this.and(old, this.not(mask)), top));
  }
  /** Value at the top of the stack; the pointer is moved by `popped`. */
  top(size: Size, flat: boolean, displacement = 0): V {
    const rsp = this.readRegister(GPR.RSP, 8);
    const at = this.add(rsp, this.i64(displacement));
    if (flat) return this.loadLinear(at, size);
    const offset = this.and(at, this.state64(L.STACK_MASK));
    return this.loadLinear(this.checkedLinear(this.i32(SEG.SS), offset, size, false), size);
  }
  popped(bytes: V, flat: boolean): void {
    const old = this.readRegister(GPR.RSP, 8);
    const moved = this.add(old, bytes);
    if (flat) {
      this.writeRegister(GPR.RSP, 8, moved);
      return;
    }
    const mask = this.state64(L.STACK_MASK);
    this.writeRegister(GPR.RSP, 8, this.or(this.and(old, this.not(mask)), this.and(moved, mask)));
  }
}

export { CONDITIONS, type Condition, type Size } from './flag-builder.ts';
export type { V, Variable };
