import * as L from '../state/layout.ts';
import { FunctionBuilder, type V, type Width } from '../wasm/function-builder.ts';

/** The condition codes in encoding order. SDM Vol. 1, Appendix B. */
export const CONDITIONS = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Operand sizes in bytes. */
export type Size = 1 | 2 | 4 | 8 | 10 | 16;

/** What of a carry-in vector is kept. */
export const CIN_BITS = -0x7ffffffffffffff0n; // bit 63 and bit 4

/** Status flags in their lazy form, over the words of the register block. See layout.ts. */
export class FlagBuilder extends FunctionBuilder {
  state64(address: number): V {
    return this.load('i64', this.i32(0), 8, address);
  }
  state32(address: number): V {
    return this.load('i32', this.i32(0), 4, address);
  }
  setState64(address: number, value: V): void {
    this.store(this.i32(0), value, 8, address);
  }
  setState32(address: number, value: V): void {
    this.store(this.i32(0), value, 4, address);
  }

  /** Sign-extended to 64 bits. */
  wide(value: V, size: Size): V {
    return this.extendS(this.signExtend(value, size as Width));
  }

  carry(): V {
    return this.state32(L.FLAG_CF);
  }
  /** Change CF and nothing else. */
  replaceCarry(carry: V): void {
    // OF = CF ^ cin.63 must stay: flip cin.63 when CF flips.
    const flipped = this.extendU(this.xor(carry, this.carry()));
    this.setState64(L.FLAG_CIN, this.xor(this.state64(L.FLAG_CIN), this.shl(flipped, this.i64(63))));
    this.setState32(L.FLAG_CF, carry);
  }
  setLazyFlags(result: V, cin: V, carry: V): void {
    this.setState64(L.FLAG_RESULT, result);
    this.setState64(L.FLAG_CIN, cin);
    this.setState32(L.FLAG_CF, carry);
  }
  private carries(a: V, b: V, result: V, size: Size): V {
    const vector = this.xor(this.xor(a, b), result);
    return this.and(this.wide(vector, size), this.i64(CIN_BITS));
  }
  /** a + b (+ carry in): result and all status flags. */
  addWithFlags(a: V, b: V, size: Size, carryIn?: V): V {
    const { result, carry } = this.sumAndCarry(a, b, size, carryIn);
    this.flagsOf(a, b, result, size, carry);
    return result;
  }
  /** Status flags of a sum or a difference. */
  protected flagsOf(a: V, b: V, result: V, size: Size, carry: V): void {
    this.setLazyFlags(this.wide(result, size), this.carries(a, b, result, size), carry);
  }
  protected sumAndCarry(a: V, b: V, size: Size, carryIn?: V): { result: V; carry: V } {
    if (size < 4) {
      let sum = this.add(a, b);
      if (carryIn !== undefined) sum = this.add(sum, carryIn);
      const carry = this.and(this.shrU(sum, this.i32(8 * size)), this.i32(1));
      return { result: this.zeroExtend(sum, size as Width), carry };
    }
    const sum = this.add(a, b);
    if (carryIn === undefined) return { result: sum, carry: this.ltU(sum, a) };
    const result = this.add(sum, size === 8 ? this.extendU(carryIn) : carryIn);
    return { result, carry: this.or(this.ltU(sum, a), this.ltU(result, sum)) };
  }
  /** a - b (- borrow in): result and all status flags. */
  subWithFlags(a: V, b: V, size: Size, borrowIn?: V): V {
    const first = this.sub(a, b);
    let result = first;
    let borrow = this.ltU(a, b);
    if (borrowIn !== undefined) {
      const typed = size === 8 ? this.extendU(borrowIn) : borrowIn;
      result = this.sub(first, typed);
      // The second subtraction borrows only from zero.
      const low = size < 4 ? this.zeroExtend(first, size as Width) : first;
      borrow = this.or(borrow, this.and(this.eqz(low), borrowIn));
    }
    if (size < 4) result = this.zeroExtend(result, size as Width);
    this.flagsOf(a, b, result, size, borrow);
    return result;
  }
  logicFlags(result: V, size: Size): void {
    this.setLazyFlags(this.wide(result, size), this.i64(0), this.i32(0));
  }
  /** INC and DEC leave CF alone: `overflow` is an i32, `a` the operand. */
  stepFlags(a: V, result: V, size: Size, overflow: V): void {
    const cin = this.steppedCin(a, result, size, overflow, this.carry());
    this.setState64(L.FLAG_RESULT, this.wide(result, size));
    this.setState64(L.FLAG_CIN, cin);
  }
  protected steppedCin(a: V, result: V, size: Size, overflow: V, carry: V): V {
    // a ^ 1 ^ result has the same bit 4 as a ^ result.
    const half = this.and(this.xor(this.wide(a, size), this.wide(result, size)), this.i64(0x10));
    return this.or(half, this.shl(this.extendU(this.xor(overflow, carry)), this.i64(63)));
  }
  /** Result flags with given CF and OF (i32 0/1); AF cleared. */
  resultFlags(result: V, size: Size, carry: V, overflow: V): void {
    const top = this.shl(this.extendU(this.xor(carry, overflow)), this.i64(63));
    this.setLazyFlags(this.wide(result, size), top, carry);
  }
  zero(): V {
    return this.eqz(this.state64(L.FLAG_RESULT));
  }
  sign(): V {
    const cin = this.state64(L.FLAG_CIN);
    const natural = this.shrU(this.state64(L.FLAG_RESULT), this.i64(63));
    return this.wrap(this.xor(natural, this.and(this.shrU(cin, this.i64(1)), this.i64(1))));
  }
  overflow(): V {
    return this.xor(this.wrap(this.shrU(this.state64(L.FLAG_CIN), this.i64(63))), this.carry());
  }
  parity(): V {
    const low = this.wrap(this.and(this.state64(L.FLAG_RESULT), this.i64(0xff)));
    const toggle = this.and(this.wrap(this.state64(L.FLAG_CIN)), this.i32(1));
    return this.xor(this.load('i32', low, 1, L.PARITY), toggle);
  }
  adjust(): V {
    return this.and(this.shrU(this.wrap(this.state64(L.FLAG_CIN)), this.i32(4)), this.i32(1));
  }
  /** S != O in one go. */
  private less(): V {
    const cin = this.state64(L.FLAG_CIN);
    const mixed = this.xor(this.state64(L.FLAG_RESULT), cin);
    const signs = this.wrap(this.shrU(mixed, this.i64(63)));
    const toggle = this.and(this.wrap(this.shrU(cin, this.i64(1))), this.i32(1));
    return this.xor(this.xor(signs, toggle), this.carry());
  }
  /** i32 0/1. */
  condition(condition: Condition): V {
    const at = CONDITIONS.indexOf(condition);
    const value = this.positiveCondition(at >> 1);
    return (at & 1) === 1 ? this.eqz(value) : value;
  }
  private positiveCondition(pair: number): V {
    switch (pair) {
      case 0:
        return this.overflow();
      case 1:
        return this.carry();
      case 2:
        return this.zero();
      case 3:
        return this.or(this.carry(), this.zero());
      case 4:
        return this.sign();
      case 5:
        return this.parity();
      case 6:
        return this.less();
      default:
        return this.or(this.zero(), this.less());
    }
  }
  /** Set all six status flags from i32 0/1 values. */
  setStatusFlags(f: { cf: V; pf: V; af: V; zf: V; sf: V; of: V }): void {
    // result is 0 or 1: its own parity flag is 1 for 0, 0 for 1.
    this.setState64(L.FLAG_RESULT, this.extendU(this.eqz(f.zf)));
    const pfToggle = this.xor(f.pf, f.zf);
    const low = this.or(this.or(pfToggle, this.shl(f.sf, this.i32(1))), this.shl(f.af, this.i32(4)));
    const top = this.shl(this.extendU(this.xor(f.of, f.cf)), this.i64(63));
    this.setState64(L.FLAG_CIN, this.or(this.extendU(low), top));
    this.setState32(L.FLAG_CF, f.cf);
  }
}
