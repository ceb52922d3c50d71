import { CodeBuffer } from './code-buffer.ts';
import type { FunctionBody, Signature, ValueType } from './module.ts';
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

type IntegerType = 'i32' | 'i64';

const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;

/** Emits one WebAssembly function: its values, locals and control. Every result lands in a local. */
export class Emitter {
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

  protected isZero(v: V): boolean {
    return this.constants.isZero(v);
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

  protected pop(type: number): V {
    const { code } = this;
    const local = this.fresh(type);
    this.lastSet = local;
    this.lastSetAt = code.length;
    this.local(LOCAL_SET, local);
    this.lastSetEnd = code.length;
    return localValue(local, type);
  }

  /** Forget code from a place on. */
  protected cutTo(length: number): void {
    this.code.length = length;
    // What was left on the stack there is not there any more.
    this.lastSet = -1;
  }

  /** A local nobody uses. */
  protected fresh(type: number): number {
    this.locals.push(type);
    return this.signature.params.length + this.locals.length - 1;
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
