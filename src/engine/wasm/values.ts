import { invariant } from '../../base/invariant.ts';
import type { ValueType } from './module.ts';

declare const VALUE: unique symbol;
declare const VARIABLE: unique symbol;

/**
 * A value while code is being emitted: a constant, or a WebAssembly local that is never written again. A small integer,
 * so that emitting allocates nothing: local << 3 | type, or what `Constants` made of a constant, which is negative.
 */
export interface V {
  readonly [VALUE]: never;
}
/** A local that may be written more than once: local << 3 | type. */
export interface Variable {
  readonly [VARIABLE]: never;
}

/** The integer it is. To everybody else it is none, lest one be taken for a number to emit. */
const bits = (value: V | Variable): number => value as unknown as number;

/** Value types by their number in a V. */
export const VALUE_TYPES: readonly ValueType[] = ['i32', 'i64', 'f32', 'f64', 'v128'];
/** The numbers. */
export const TYPE: Readonly<Record<ValueType, number>> = { i32: 0, i64: 1, f32: 2, f64: 3, v128: 4 };

/** The V or variable of a local. */
export const localValue = (local: number, type: number): V => ((local << 3) | type) as unknown as V;
export const localVariable = (local: number, type: number): Variable => localValue(local, type) as unknown as Variable;
export const localOf = (value: V | Variable): number => bits(value) >> 3;

/** Constants of the code at hand, each 64 bits in two halves. One of 32 bits has its sign in the upper half. */
export class Constants {
  private low = new Int32Array(64);
  private high = new Int32Array(64);
  private count = 0;

  make(is64: boolean, low: number, high: number): V {
    if (this.count === this.low.length) this.grow();
    const at = this.count++;
    this.low[at] = low;
    this.high[at] = is64 ? high : low >> 31;
    return ~((at << 1) | (is64 ? 1 : 0)) as unknown as V;
  }
  private grow(): void {
    const [low, high] = [new Int32Array(2 * this.count), new Int32Array(2 * this.count)];
    low.set(this.low);
    high.set(this.high);
    this.low = low;
    this.high = high;
  }

  /** Bits 31:0, signed. */
  lowOf(v: V): number {
    return this.low[~bits(v) >> 1] as number;
  }
  /** Bits 63:32, signed; of a 32-bit constant its sign. */
  highOf(v: V): number {
    return this.high[~bits(v) >> 1] as number;
  }
  isZero(v: V): boolean {
    return bits(v) < 0 && this.lowOf(v) === 0 && this.highOf(v) === 0;
  }
  /** The number, unsigned. */
  valueOf(v: V): bigint {
    const low = BigInt(this.lowOf(v) >>> 0);
    return (~bits(v) & 1) === 0 ? low : (BigInt(this.highOf(v) >>> 0) << 32n) | low;
  }
}

/** Is it a constant? */
export const isConstant = (v: V): boolean => bits(v) < 0;
/** The number of its type; see VALUE_TYPES. */
export const typeNumber = (v: V | Variable): number => (bits(v) < 0 ? ~bits(v) & 1 : bits(v) & 7);
/** Whether an integer has 64 bits. */
export function is64(v: V): boolean {
  const type = typeNumber(v);
  if (type > TYPE.i64) invariant(false, 'the value is an integer', { type: VALUE_TYPES[type] });
  return type === TYPE.i64;
}
