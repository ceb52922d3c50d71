import { invariant } from '../../base/invariant.ts';
import { type FunctionBody, type Signature, signedLeb, signedLeb64, unsignedLeb, type ValueType } from './module.ts';

/** A value while code is being emitted: a constant, or a WebAssembly local that is never written again. */
export interface V {
  readonly type: ValueType;
  readonly local: number;
  readonly constant?: bigint;
}

/** A local that may be written more than once. */
export interface Variable {
  readonly type: ValueType;
  readonly local: number;
}

type IntegerType = 'i32' | 'i64';

/** Binary integer operators: opcode for i32 and i64, and how constants fold (on unsigned values). */
const BINARY = {
  add: [0x6a, 0x7c],
  sub: [0x6b, 0x7d],
  mul: [0x6c, 0x7e],
  divS: [0x6d, 0x7f],
  divU: [0x6e, 0x80],
  remS: [0x6f, 0x81],
  remU: [0x70, 0x82],
  and: [0x71, 0x83],
  or: [0x72, 0x84],
  xor: [0x73, 0x85],
  shl: [0x74, 0x86],
  shrS: [0x75, 0x87],
  shrU: [0x76, 0x88],
  rotl: [0x77, 0x89],
  rotr: [0x78, 0x8a],
} as const;

const COMPARE = {
  eq: [0x46, 0x51],
  ne: [0x47, 0x52],
  ltS: [0x48, 0x53],
  ltU: [0x49, 0x54],
  gtS: [0x4a, 0x55],
  gtU: [0x4b, 0x56],
  leS: [0x4c, 0x57],
  leU: [0x4d, 0x58],
  geS: [0x4e, 0x59],
  geU: [0x4f, 0x5a],
} as const;

const UNARY = { clz: [0x67, 0x79], ctz: [0x68, 0x7a], popcnt: [0x69, 0x7b] } as const;

/** Memory accesses: opcode and natural alignment (log2). */
const LOADS = {
  i32: { 1: [0x2d, 0], 2: [0x2f, 1], 4: [0x28, 2], 8: undefined },
  i64: { 1: [0x31, 0], 2: [0x33, 1], 4: [0x35, 2], 8: [0x29, 3] },
} as const;
const SIGNED_LOADS = {
  i32: { 1: [0x2c, 0], 2: [0x2e, 1], 4: [0x28, 2], 8: undefined },
  i64: { 1: [0x30, 0], 2: [0x32, 1], 4: [0x34, 2], 8: [0x29, 3] },
} as const;
const STORES = {
  i32: { 1: [0x3a, 0], 2: [0x3b, 1], 4: [0x36, 2], 8: undefined },
  i64: { 1: [0x3c, 0], 2: [0x3d, 1], 4: [0x3e, 2], 8: [0x37, 3] },
} as const;

export type Width = 1 | 2 | 4 | 8;

/** Emits one WebAssembly function, operation by operation; every result lands in a fresh local. */
export class FunctionBuilder {
  readonly code: number[] = [];
  readonly locals: ValueType[] = [];
  readonly signature: Signature;
  private depth = 0;

  constructor(signature: Signature) {
    this.signature = signature;
  }

  finish(exported?: string): FunctionBody {
    const body = { signature: this.signature, locals: this.locals, code: Uint8Array.from(this.code) };
    return exported === undefined ? body : { ...body, exported };
  }

  param(index: number): V {
    return { type: this.signature.params[index] as ValueType, local: index };
  }

  i32(value: number): V {
    return { type: 'i32', local: -1, constant: BigInt.asUintN(32, BigInt(value)) };
  }

  i64(value: bigint | number): V {
    return { type: 'i64', local: -1, constant: BigInt.asUintN(64, BigInt(value)) };
  }

  const(type: IntegerType, value: bigint | number): V {
    return type === 'i32' ? this.i32(Number(BigInt.asIntN(32, BigInt(value)))) : this.i64(value);
  }

  add(a: V, b: V): V {
    if (isZero(b)) return a;
    return isZero(a) ? b : this.binary('add', a, b);
  }
  sub(a: V, b: V): V {
    return isZero(b) ? a : this.binary('sub', a, b);
  }
  mul = (a: V, b: V): V => this.binary('mul', a, b);
  divS = (a: V, b: V): V => this.binary('divS', a, b);
  divU = (a: V, b: V): V => this.binary('divU', a, b);
  remS = (a: V, b: V): V => this.binary('remS', a, b);
  remU = (a: V, b: V): V => this.binary('remU', a, b);
  and = (a: V, b: V): V => this.binary('and', a, b);
  or = (a: V, b: V): V => this.binary('or', a, b);
  xor = (a: V, b: V): V => this.binary('xor', a, b);
  shl = (a: V, b: V): V => (isZero(b) ? a : this.binary('shl', a, b));
  shrS = (a: V, b: V): V => (isZero(b) ? a : this.binary('shrS', a, b));
  shrU = (a: V, b: V): V => (isZero(b) ? a : this.binary('shrU', a, b));
  rotl = (a: V, b: V): V => this.binary('rotl', a, b);
  rotr = (a: V, b: V): V => this.binary('rotr', a, b);
  eq = (a: V, b: V): V => this.compare('eq', a, b);
  ne = (a: V, b: V): V => this.compare('ne', a, b);
  ltS = (a: V, b: V): V => this.compare('ltS', a, b);
  ltU = (a: V, b: V): V => this.compare('ltU', a, b);
  gtS = (a: V, b: V): V => this.compare('gtS', a, b);
  gtU = (a: V, b: V): V => this.compare('gtU', a, b);
  leS = (a: V, b: V): V => this.compare('leS', a, b);
  leU = (a: V, b: V): V => this.compare('leU', a, b);
  geS = (a: V, b: V): V => this.compare('geS', a, b);
  geU = (a: V, b: V): V => this.compare('geU', a, b);
  clz = (a: V): V => this.unary('clz', a);
  ctz = (a: V): V => this.unary('ctz', a);
  popcnt = (a: V): V => this.unary('popcnt', a);

  not(a: V): V {
    return this.xor(a, this.const(integer(a), -1));
  }
  neg(a: V): V {
    return this.binary('sub', this.const(integer(a), 0), a);
  }
  eqz(a: V): V {
    if (a.constant !== undefined) return this.i32(a.constant === 0n ? 1 : 0);
    this.push(a);
    this.code.push(a.type === 'i64' ? 0x50 : 0x45);
    return this.pop('i32');
  }
  wrap(a: V): V {
    if (a.type === 'i32') return a;
    if (a.constant !== undefined) return this.i32(Number(BigInt.asIntN(32, a.constant)));
    return this.raw(0xa7, [a], 'i32');
  }
  extendU(a: V): V {
    if (a.type === 'i64') return a;
    if (a.constant !== undefined) return this.i64(a.constant);
    return this.raw(0xad, [a], 'i64');
  }
  extendS(a: V): V {
    if (a.type === 'i64') return a;
    if (a.constant !== undefined) return this.i64(BigInt.asIntN(32, a.constant));
    return this.raw(0xac, [a], 'i64');
  }
  /** Sign-extend the low `width` bytes inside the value's own type. */
  signExtend(a: V, width: Width): V {
    if (a.constant !== undefined) {
      return this.const(integer(a), BigInt.asIntN(width * 8, a.constant));
    }
    if (a.type === 'i32') {
      if (width === 4) return a;
      return this.raw(width === 1 ? 0xc0 : 0xc1, [a], 'i32');
    }
    if (width === 8) return a;
    return this.raw(width === 1 ? 0xc2 : width === 2 ? 0xc3 : 0xc4, [a], 'i64');
  }
  /** Keep the low `width` bytes. */
  zeroExtend(a: V, width: Width): V {
    if (width === 8 || (width === 4 && a.type === 'i32')) return a;
    const mask = (1n << BigInt(width * 8)) - 1n;
    return this.and(a, this.const(integer(a), mask));
  }
  /** `condition` is an i32. */
  select(condition: V, yes: V, no: V): V {
    if (condition.constant !== undefined) return condition.constant !== 0n ? yes : no;
    this.push(yes);
    this.push(no);
    this.push(condition);
    this.code.push(0x1b);
    return this.pop(yes.type);
  }
  /** Any other opcode, operands pushed in order. */
  raw(opcode: number | readonly number[], operands: readonly V[], result: ValueType): V {
    for (const operand of operands) this.push(operand);
    if (typeof opcode === 'number') this.code.push(opcode);
    else this.code.push(...opcode);
    return this.pop(result);
  }
  /** Without a result. */
  effect(opcode: readonly number[], operands: readonly V[]): void {
    for (const operand of operands) this.push(operand);
    this.code.push(...opcode);
  }

  load(type: IntegerType, address: V, width: Width, offset = 0): V {
    return this.access(LOADS[type][width], type, address, offset);
  }
  loadS(type: IntegerType, address: V, width: Width, offset = 0): V {
    return this.access(SIGNED_LOADS[type][width], type, address, offset);
  }
  store(address: V, value: V, width: Width, offset = 0): void {
    const form = STORES[integer(value)][width];
    invariant(form !== undefined, 'the store is as wide as its value', { width, type: value.type });
    this.push(address);
    this.push(value);
    this.code.push(form[0], form[1]);
    unsignedLeb(this.code, offset);
  }
  loadVector(address: V, offset = 0): V {
    this.push(address);
    this.code.push(0xfd, 0x00, 0);
    unsignedLeb(this.code, offset);
    return this.pop('v128');
  }
  storeVector(address: V, value: V, offset = 0): void {
    this.push(address);
    this.push(value);
    this.code.push(0xfd, 0x0b, 0);
    unsignedLeb(this.code, offset);
  }
  /** A SIMD operation (0xfd prefix). */
  simd(opcode: number, operands: readonly V[], result: ValueType = 'v128', immediates: readonly number[] = []): V {
    for (const operand of operands) this.push(operand);
    this.code.push(0xfd);
    unsignedLeb(this.code, opcode);
    this.code.push(...immediates);
    return this.pop(result);
  }
  vectorConstant(bytes: readonly number[]): V {
    this.code.push(0xfd, 0x0c, ...bytes);
    return this.pop('v128');
  }

  variable(type: ValueType, initial?: V): Variable {
    const local = this.fresh(type);
    if (initial !== undefined) this.set({ type, local }, initial);
    return { type, local };
  }
  get(variable: Variable): V {
    this.code.push(0x20);
    unsignedLeb(this.code, variable.local);
    return this.pop(variable.type);
  }
  set(variable: Variable, value: V): void {
    this.push(value);
    this.code.push(0x21);
    unsignedLeb(this.code, variable.local);
  }
  globalGet(index: number, type: ValueType): V {
    this.code.push(0x23);
    unsignedLeb(this.code, index);
    return this.pop(type);
  }
  globalSet(index: number, value: V): void {
    this.push(value);
    this.code.push(0x24);
    unsignedLeb(this.code, index);
  }

  if(condition: V, then: () => void, otherwise?: () => void): void {
    this.push(condition);
    this.code.push(0x04, 0x40);
    this.nested(then);
    if (otherwise !== undefined) {
      this.code.push(0x05);
      this.nested(otherwise);
    }
    this.code.push(0x0b);
  }
  /** `body` gets a function that leaves the block when its condition is true. */
  block(body: (leaveIf: (condition?: V) => void) => void): void {
    this.code.push(0x02, 0x40);
    this.labelled(body);
    this.code.push(0x0b);
  }
  /** `body` gets a function that starts the loop again when its condition is true. */
  loop(body: (againIf: (condition?: V) => void) => void): void {
    this.code.push(0x03, 0x40);
    this.labelled(body);
    this.code.push(0x0b);
  }
  return(value?: V): void {
    if (value !== undefined) this.push(value);
    this.code.push(0x0f);
  }
  call(index: number, operands: readonly V[], result?: ValueType): V {
    for (const operand of operands) this.push(operand);
    this.code.push(0x10);
    unsignedLeb(this.code, index);
    return result === undefined ? this.i32(0) : this.pop(result);
  }
  /** Call through table 0 a function of type 0: (i32) -> i32. */
  callHandler(argument: V, slot: V): V {
    this.push(argument);
    this.push(slot);
    this.code.push(0x11, 0, 0);
    return this.pop('i32');
  }
  /** Leave the value on the stack as the function's result. */
  result(value: V): void {
    this.push(value);
  }
  trap(): void {
    this.code.push(0x00);
  }
  push(value: V): void {
    if (value.constant !== undefined) {
      if (value.type === 'i32') {
        this.code.push(0x41);
        signedLeb(this.code, Number(BigInt.asIntN(32, value.constant)));
      } else {
        this.code.push(0x42);
        signedLeb64(this.code, value.constant);
      }
      return;
    }
    this.code.push(0x20);
    unsignedLeb(this.code, value.local);
  }

  private pop(type: ValueType): V {
    const local = this.fresh(type);
    this.code.push(0x21);
    unsignedLeb(this.code, local);
    return { type, local };
  }
  private fresh(type: ValueType): number {
    this.locals.push(type);
    return this.signature.params.length + this.locals.length - 1;
  }
  private binary(name: keyof typeof BINARY, a: V, b: V): V {
    invariant(a.type === b.type, 'operands have one type', { name, a: a.type, b: b.type });
    if (a.constant !== undefined && b.constant !== undefined) {
      const folded = fold(name, a, b);
      if (folded !== undefined) return this.const(integer(a), folded);
    }
    return this.raw(BINARY[name][a.type === 'i64' ? 1 : 0], [a, b], a.type);
  }
  private compare(name: keyof typeof COMPARE, a: V, b: V): V {
    invariant(a.type === b.type, 'operands have one type', { name, a: a.type, b: b.type });
    return this.raw(COMPARE[name][a.type === 'i64' ? 1 : 0], [a, b], 'i32');
  }
  private unary(name: keyof typeof UNARY, a: V): V {
    return this.raw(UNARY[name][a.type === 'i64' ? 1 : 0], [a], a.type);
  }
  private access(form: readonly [number, number] | undefined, type: IntegerType, address: V, offset: number): V {
    invariant(form !== undefined, 'the load is no wider than its type', { type });
    this.push(address);
    this.code.push(form[0], form[1]);
    unsignedLeb(this.code, offset);
    return this.pop(type);
  }
  private nested(body: () => void): void {
    this.depth++;
    body();
    this.depth--;
  }
  private labelled(body: (branch: (condition?: V) => void) => void): void {
    this.depth++;
    const here = this.depth;
    body((condition) => {
      if (condition !== undefined) this.push(condition);
      this.code.push(condition === undefined ? 0x0c : 0x0d);
      unsignedLeb(this.code, this.depth - here);
    });
    this.depth--;
  }
}

function integer(value: V): IntegerType {
  invariant(value.type === 'i32' || value.type === 'i64', 'the value is an integer', { type: value.type });
  return value.type as IntegerType;
}

const isZero = (value: V): boolean => value.constant === 0n;

function fold(name: keyof typeof BINARY, a: V, b: V): bigint | undefined {
  const [x, y] = [a.constant as bigint, b.constant as bigint];
  const bits = a.type === 'i64' ? 63n : 31n;
  // biome-ignore format: a table
  switch (name) {
    case 'add': return x + y;
    case 'sub': return x - y;
    case 'mul': return x * y;
    case 'and': return x & y;
    case 'or': return x | y;
    case 'xor': return x ^ y;
    case 'shl': return x << (y & bits);
    case 'shrU': return x >> (y & bits);
    default: return undefined;
  }
}
