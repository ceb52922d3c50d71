import { MeaningBuilder, type Size, type V, type Variable } from '../emit/builder.ts';
import { ConstantReader, type RegionCode } from '../emit/constant.ts';
import { GLOBAL } from '../emit/shared.ts';
import * as L from '../state/layout.ts';
import type { Width } from '../wasm/function-builder.ts';
import { localOf } from '../wasm/values.ts';

/** A meaning asks for something translated code cannot do. */
export class Untranslatable extends Error {}

/** (record) -> record to go on with, as a handler has it. */
export const SIGNATURE = { params: ['i32'], results: ['i32'] } as const;

/**
 * Where code for instructions that are known keeps what it works on: general registers in locals, temporaries in locals
 * that are used again. Memory is accessed where the TLB knows the page; where it does not, the instruction is given up.
 */
export abstract class RegionLocals extends MeaningBuilder<ConstantReader> {
  protected readonly general: (Variable | undefined)[] = [];
  protected readonly written = new Set<number>();
  /** Of the TLB's tags. */
  protected context: Variable | undefined;
  /** Temporaries that may be in use, and free ones by type. A temporary: local << 3 | type. */
  protected taken: number[] = [];
  private readonly free: readonly number[][] = [[], [], [], [], []];
  /** How many need a local, by its number. */
  private readonly pins: number[] = [];
  protected isPooling = false;

  constructor(view: DataView) {
    super({ signature: SIGNATURE, reader: (f) => new ConstantReader(f as unknown as RegionCode, view) });
  }

  /** Leave: the instruction at hand is begun anew by its handler. */
  abstract giveUp(): void;

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
  /** The instruction at hand is done: what it computed is of no use but to who pinned it. */
  protected release(): void {
    let kept = 0;
    for (const each of this.taken) {
      if ((this.pins[each >> 3] ?? 0) > 0) this.taken[kept++] = each;
      else (this.free[each & 7] as number[]).push(each >> 3);
    }
    this.taken.length = kept;
  }
  /** These values are needed by one more, or one less. */
  protected pin(values: readonly V[], by: 1 | -1): void {
    for (const value of values) {
      const local = localOf(value);
      if (local >= 0) this.pins[local] = (this.pins[local] ?? 0) + by;
    }
  }

  // Constants.

  addressOf(v: V): number {
    return this.constants.lowOf(v);
  }
  constantFrom(low: number, high: number): V {
    return this.constants.make(true, low, high);
  }

  // Registers.

  protected generalVariable(index: number): Variable {
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
    if (size >= 4) {
      this.set(variable, this.extendU(value));
      return;
    }
    const low = size === 1 ? 0xff : 0xffff;
    const cut = this.extendU(this.zeroExtend(value, size as Width));
    const placed = byte === 0 ? cut : this.shl(cut, this.i64(8 * byte));
    const mask = this.constantFrom(~(low << (8 * byte)), -1);
    this.set(variable, this.or(this.and(this.get(variable), mask), placed));
  }

  // Memory.

  override globalGet(index: number, type: 'i32' | 'i64'): V {
    if (index === GLOBAL.context) {
      this.context ??= this.lasting('i64');
      return this.get(this.context);
    }
    throw new Untranslatable(`global ${index} of type ${type}`);
  }
  override pointer(linear: V, size: number, access: 'read' | 'write' | 'readWrite'): V {
    const { entry, stored, tag } = this.cached(linear, size, access);
    this.if(this.ne(stored, tag), () => this.giveUp());
    return this.inCachedPage(entry, linear);
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

  // What else meanings ask for.

  override raise(): void {
    this.giveUp();
  }
  override refundTick(): void {
    throw new Untranslatable('a pseudo-instruction');
  }
  override call(index: number): V {
    throw new Untranslatable(`a call of function ${index}`);
  }
  protected globalGetOwn(index: number, type: 'i32' | 'i64'): V {
    return super.globalGet(index, type);
  }
  /** A function of the region's own module. */
  protected callOwn(index: number, operands: readonly V[], result?: 'i32'): V {
    return super.call(index, operands, result);
  }
}
