import { invariant } from '../../base/invariant.ts';
import { CodeBuffer } from './code-buffer.ts';
import { fold, foldCompare } from './fold.ts';
import type { FunctionBody, Signature, ValueType } from './module.ts';
import { BINARY, COMPARE, LOADS, SIGNED_LOADS, STORES, UNARY } from './opcodes.ts';
import {
  Constants,
  is64,
  isConstant,
  localOf,
  localValue,
  localVariable,
  TYPE,
  typeNumber,
  type V,
  VALUE_TYPES,
  type Variable,
} from './values.ts';

export type { V, Variable } from './values.ts';

type IntegerType = 'i32' | 'i64';

export type Width = 1 | 2 | 4 | 8;

const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;

/** Emits one WebAssembly function, operation by operation; every result lands in a local. */
export class FunctionBuilder {
  protected readonly code = new CodeBuffer();
  protected readonly constants = new Constants();
  readonly signature: Signature;
  /** Types of the locals behind the parameters, by number. */
  protected readonly locals: number[] = [];
  protected depth = 0;
  /** The local the last operation left its result in, where the opcode of that stands, and where it ends. */
  private lastSet = -1;
  private lastSetAt = -1;
  private lastSetEnd = -1;

  constructor(signature: Signature) {
    this.signature = signature;
  }

  finish(exported?: string): FunctionBody {
    const body = { signature: this.signature, locals: this.locals, code: this.code.copy() };
    return exported === undefined ? body : { ...body, exported };
  }

  param(index: number): V {
    return localValue(index, TYPE[this.signature.params[index] as ValueType]);
  }

  i32(value: number): V {
    return this.constants.make(false, value | 0, 0);
  }

  i64(value: bigint | number): V {
    if (typeof value === 'number') return this.constants.make(true, value | 0, Math.floor(value / 0x1_0000_0000) | 0);
    const low = Number(BigInt.asIntN(32, value));
    return this.constants.make(true, low, Number(BigInt.asIntN(32, value >> 32n)));
  }

  const(type: IntegerType, value: bigint | number): V {
    if (type === 'i64') return this.i64(value);
    return this.i32(typeof value === 'number' ? value : Number(BigInt.asIntN(32, value)));
  }
  /** The number of a constant, unsigned; undefined: it is none. */
  constantOf(v: V): bigint | undefined {
    return isConstant(v) ? this.constants.valueOf(v) : undefined;
  }
  typeOf(v: V): ValueType {
    return VALUE_TYPES[typeNumber(v)] as ValueType;
  }
  private isZero(v: V): boolean {
    return this.constants.isZero(v);
  }

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
  /** Any other opcode, operands pushed in order. */
  raw(opcode: number | readonly number[], operands: readonly V[], result: ValueType): V {
    this.effect(opcode, operands);
    return this.pop(TYPE[result]);
  }
  /** Without a result. */
  effect(opcode: number | readonly number[], operands: readonly V[]): void {
    for (const operand of operands) this.push(operand);
    this.code.reserve();
    if (typeof opcode === 'number') this.code.byte(opcode);
    else for (const byte of opcode) this.code.byte(byte);
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

  variable(type: ValueType, initial?: V): Variable {
    const variable = localVariable(this.fresh(TYPE[type]), TYPE[type]);
    if (initial !== undefined) this.set(variable, initial);
    return variable;
  }
  get(variable: Variable): V {
    this.local(LOCAL_GET, localOf(variable));
    return this.pop(typeNumber(variable));
  }
  set(variable: Variable, value: V): void {
    this.push(value);
    this.local(LOCAL_SET, localOf(variable));
  }
  globalGet(index: number, type: ValueType): V {
    this.local(0x23, index);
    return this.pop(TYPE[type]);
  }
  globalSet(index: number, value: V): void {
    this.push(value);
    this.local(0x24, index);
  }

  if(condition: V, then: () => void, otherwise?: () => void): void {
    if (isConstant(condition)) {
      if (!this.isZero(condition)) then();
      else otherwise?.();
      return;
    }
    this.push(condition);
    this.opcode(0x04, 0x40);
    this.nested(then);
    if (otherwise !== undefined) {
      this.opcode(0x05);
      this.nested(otherwise);
    }
    this.opcode(0x0b);
  }
  /** `body` gets a function that leaves the block when its condition is true. */
  block(body: (leaveIf: (condition?: V) => void) => void): void {
    this.opcode(0x02, 0x40);
    this.labelled(body);
    this.opcode(0x0b);
  }
  /** `body` gets a function that starts the loop again when its condition is true. */
  loop(body: (againIf: (condition?: V) => void) => void): void {
    this.opcode(0x03, 0x40);
    this.labelled(body);
    this.opcode(0x0b);
  }
  return(value?: V): void {
    if (value !== undefined) this.push(value);
    this.opcode(0x0f);
  }
  call(index: number, operands: readonly V[], result?: ValueType): V {
    for (const operand of operands) this.push(operand);
    this.local(0x10, index);
    return result === undefined ? this.i32(0) : this.pop(TYPE[result]);
  }
  /** Call through table 0 a function of type 0: (i32) -> i32. */
  callHandler(argument: V, slot: V): V {
    return this.raw([0x11, 0, 0], [argument, slot], 'i32');
  }
  /** Leave the value on the stack as the function's result. */
  result(value: V): void {
    this.push(value);
  }
  trap(): void {
    this.opcode(0x00);
  }
  push(value: V): void {
    const { code } = this;
    code.reserve();
    if (isConstant(value)) {
      const { constants } = this;
      const wide = is64(value);
      code.byte(wide ? 0x42 : 0x41);
      if (wide) code.signed64(constants.lowOf(value), constants.highOf(value));
      else code.signed(constants.lowOf(value));
      return;
    }
    const local = localOf(value);
    if (local === this.lastSet && code.length === this.lastSetEnd) {
      // It is on top of the stack still.
      code.patch(this.lastSetAt, LOCAL_TEE);
      this.lastSet = -1;
      return;
    }
    code.byte(LOCAL_GET);
    code.unsigned(local);
  }
  private local(opcode: number, index: number): void {
    this.code.reserve();
    this.code.byte(opcode);
    this.code.unsigned(index);
  }
  protected opcode(first: number, second?: number): void {
    this.code.reserve();
    this.code.byte(first);
    if (second !== undefined) this.code.byte(second);
  }

  private pop(type: number): V {
    const { code } = this;
    const local = this.fresh(type);
    this.lastSet = local;
    this.lastSetAt = code.length;
    this.local(LOCAL_SET, local);
    this.lastSetEnd = code.length;
    return localValue(local, type);
  }
  /** A local nobody uses. */
  protected fresh(type: number): number {
    this.locals.push(type);
    return this.signature.params.length + this.locals.length - 1;
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
  private nested(body: () => void): void {
    this.depth++;
    body();
    this.depth--;
  }
  private labelled(body: (branch: (condition?: V) => void) => void): void {
    this.depth++;
    const here = this.depth;
    body((condition) => this.branchTo(here, condition));
    this.depth--;
  }
  /** Leave (or start again) the construct at a depth. */
  protected branchTo(depth: number, condition?: V): void {
    if (condition !== undefined) this.push(condition);
    this.local(condition === undefined ? 0x0c : 0x0d, this.depth - depth);
  }
}
