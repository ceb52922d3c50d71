import { invariant } from '../../base/invariant.ts';
import { Emitter } from './emitter.ts';
import { fold, foldCompare } from './fold.ts';
import type { ValueType } from './module.ts';
import { BINARY, COMPARE, LOADS, SIGNED_LOADS, STORES, UNARY } from './opcodes.ts';
import { is64, isConstant, TYPE, typeNumber, type V } from './values.ts';

export type { V, Variable } from './values.ts';

type IntegerType = 'i32' | 'i64';

export type Width = 1 | 2 | 4 | 8;

/** Emits one WebAssembly function, operation by operation. What constants come to is worked out while emitting. */
export class FunctionBuilder extends Emitter {
  add(a: V, b: V): V {
    if (this.isZero(b)) return a;
    return this.isZero(a) ? b : this.binary('add', a, b);
  }
  sub(a: V, b: V): V {
    return this.isZero(b) ? a : this.binary('sub', a, b);
  }
  mul(a: V, b: V): V {
    return this.binary('mul', a, b);
  }
  divS(a: V, b: V): V {
    return this.binary('divS', a, b);
  }
  divU(a: V, b: V): V {
    return this.binary('divU', a, b);
  }
  remS(a: V, b: V): V {
    return this.binary('remS', a, b);
  }
  remU(a: V, b: V): V {
    return this.binary('remU', a, b);
  }
  and(a: V, b: V): V {
    return this.binary('and', a, b);
  }
  or(a: V, b: V): V {
    return this.binary('or', a, b);
  }
  xor(a: V, b: V): V {
    return this.binary('xor', a, b);
  }
  shl(a: V, b: V): V {
    return this.isZero(b) ? a : this.binary('shl', a, b);
  }
  shrS(a: V, b: V): V {
    return this.isZero(b) ? a : this.binary('shrS', a, b);
  }
  shrU(a: V, b: V): V {
    return this.isZero(b) ? a : this.binary('shrU', a, b);
  }
  rotl(a: V, b: V): V {
    return this.binary('rotl', a, b);
  }
  rotr(a: V, b: V): V {
    return this.binary('rotr', a, b);
  }
  eq(a: V, b: V): V {
    return this.compare('eq', a, b);
  }
  ne(a: V, b: V): V {
    return this.compare('ne', a, b);
  }
  ltS(a: V, b: V): V {
    return this.compare('ltS', a, b);
  }
  ltU(a: V, b: V): V {
    return this.compare('ltU', a, b);
  }
  gtS(a: V, b: V): V {
    return this.compare('gtS', a, b);
  }
  gtU(a: V, b: V): V {
    return this.compare('gtU', a, b);
  }
  leS(a: V, b: V): V {
    return this.compare('leS', a, b);
  }
  leU(a: V, b: V): V {
    return this.compare('leU', a, b);
  }
  geS(a: V, b: V): V {
    return this.compare('geS', a, b);
  }
  geU(a: V, b: V): V {
    return this.compare('geU', a, b);
  }
  clz(a: V): V {
    return this.unary('clz', a);
  }
  ctz(a: V): V {
    return this.unary('ctz', a);
  }
  popcnt(a: V): V {
    return this.unary('popcnt', a);
  }

  not(a: V): V {
    return this.xor(a, this.constants.make(is64(a), -1, -1));
  }
  neg(a: V): V {
    return this.binary('sub', this.constants.make(is64(a), 0, 0), a);
  }
  eqz(a: V): V {
    if (isConstant(a)) return this.i32(this.isZero(a) ? 1 : 0);
    return this.raw(is64(a) ? 0x50 : 0x45, [a], 'i32');
  }
  wrap(a: V): V {
    if (!is64(a)) return a;
    return isConstant(a) ? this.i32(this.constants.lowOf(a)) : this.raw(0xa7, [a], 'i32');
  }
  extendU(a: V): V {
    if (is64(a)) return a;
    return isConstant(a) ? this.constants.make(true, this.constants.lowOf(a), 0) : this.raw(0xad, [a], 'i64');
  }
  extendS(a: V): V {
    if (is64(a)) return a;
    if (!isConstant(a)) return this.raw(0xac, [a], 'i64');
    return this.constants.make(true, this.constants.lowOf(a), this.constants.highOf(a));
  }
  /** Sign-extend the low `width` bytes inside the value's own type. */
  signExtend(a: V, width: Width): V {
    const wide = is64(a);
    if (width === 8 || (width === 4 && !wide)) return a;
    if (isConstant(a)) {
      const low = (this.constants.lowOf(a) << (32 - 8 * width)) >> (32 - 8 * width);
      return this.constants.make(wide, low, low >> 31);
    }
    if (!wide) return this.raw(width === 1 ? 0xc0 : 0xc1, [a], 'i32');
    return this.raw(width === 1 ? 0xc2 : width === 2 ? 0xc3 : 0xc4, [a], 'i64');
  }
  /** Keep the low `width` bytes. */
  zeroExtend(a: V, width: Width): V {
    const wide = is64(a);
    if (width === 8 || (width === 4 && !wide)) return a;
    return this.and(a, this.constants.make(wide, width === 4 ? -1 : (1 << (8 * width)) - 1, 0));
  }
  /** `condition` is an i32. */
  select(condition: V, yes: V, no: V): V {
    if (isConstant(condition)) return this.isZero(condition) ? no : yes;
    return this.raw(0x1b, [yes, no, condition], this.typeOf(yes));
  }

  load(type: IntegerType, address: V, width: Width, offset = 0): V {
    return this.access(LOADS[type][width], type, address, offset);
  }
  loadS(type: IntegerType, address: V, width: Width, offset = 0): V {
    return this.access(SIGNED_LOADS[type][width], type, address, offset);
  }
  store(address: V, value: V, width: Width, offset = 0): void {
    const form = STORES[is64(value) ? 'i64' : 'i32'][width];
    invariant(form !== undefined, 'the store is as wide as its value');
    this.push(address);
    this.push(value);
    this.code.byte(form[0]);
    this.code.byte(form[1]);
    this.code.unsigned(offset);
  }
  loadVector(address: V, offset = 0): V {
    this.push(address);
    this.vectorAccess(0x00, offset);
    return this.pop(TYPE.v128);
  }
  storeVector(address: V, value: V, offset = 0): void {
    this.push(address);
    this.push(value);
    this.vectorAccess(0x0b, offset);
  }
  private vectorAccess(opcode: number, offset: number): void {
    this.code.byte(0xfd);
    this.code.byte(opcode);
    this.code.byte(0);
    this.code.unsigned(offset);
  }
  /** A SIMD operation (0xfd prefix). */
  simd(opcode: number, operands: readonly V[], result: ValueType = 'v128', immediates: readonly number[] = []): V {
    for (const operand of operands) this.push(operand);
    this.code.reserve();
    this.code.byte(0xfd);
    this.code.unsigned(opcode);
    for (const byte of immediates) this.code.byte(byte);
    return this.pop(TYPE[result]);
  }
  vectorConstant(bytes: readonly number[]): V {
    return this.simd(0x0c, [], 'v128', bytes);
  }

  private binary(name: keyof typeof BINARY, a: V, b: V): V {
    this.sameType(a, b);
    if (isConstant(a) && isConstant(b)) {
      const folded = fold(this.constants, name, a, b);
      if (folded !== undefined) return folded;
    }
    return this.two(BINARY[name][typeNumber(a) as 0 | 1], a, b, typeNumber(a));
  }
  private compare(name: keyof typeof COMPARE, a: V, b: V): V {
    this.sameType(a, b);
    if (isConstant(a) && isConstant(b)) return this.i32(foldCompare(this.constants, name, a, b) ? 1 : 0);
    return this.two(COMPARE[name][typeNumber(a) as 0 | 1], a, b, TYPE.i32);
  }
  private two(opcode: number, a: V, b: V, result: number): V {
    this.push(a);
    this.push(b);
    this.opcode(opcode);
    return this.pop(result);
  }
  private sameType(a: V, b: V): void {
    if (typeNumber(a) !== typeNumber(b)) {
      invariant(false, 'operands have one type', { a: this.typeOf(a), b: this.typeOf(b) });
    }
  }
  private unary(name: keyof typeof UNARY, a: V): V {
    this.push(a);
    this.opcode(UNARY[name][is64(a) ? 1 : 0]);
    return this.pop(typeNumber(a));
  }
  private access(form: readonly [number, number] | undefined, type: IntegerType, address: V, offset: number): V {
    if (form === undefined) invariant(false, 'the load is no wider than its type', { type });
    this.push(address);
    this.code.byte(form[0]);
    this.code.byte(form[1]);
    this.code.unsigned(offset);
    return this.pop(TYPE[type]);
  }
}
