import { DwarfBytes } from './bytes.ts';

/** What an expression is evaluated with. */
export interface ExpressionScope {
  /** Bytes of an address. */
  readonly addressSize: number;
  register(number: number): bigint | undefined;
  memory(address: bigint, size: number): bigint | undefined;
  /** The address of the frame, where it is known. */
  readonly frame?: bigint | undefined;
}

const STEPS_MOST = 1000;

/** The value an expression leaves on top; undefined: it cannot be known. DWARF 5, 2.5. */
export function expressionValue(
  expression: Uint8Array,
  scope: ExpressionScope,
  pushed: readonly bigint[] = [],
): bigint | undefined {
  const machine = new StackMachine(expression, scope, pushed);
  try {
    return machine.run();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

type Binary = (left: bigint, right: bigint) => bigint;

const bit = (is: boolean): bigint => (is ? 1n : 0n);

class StackMachine {
  private readonly code: DwarfBytes;
  private readonly scope: ExpressionScope;
  private readonly stack: bigint[];

  constructor(expression: Uint8Array, scope: ExpressionScope, pushed: readonly bigint[]) {
    this.code = new DwarfBytes(expression);
    this.scope = scope;
    this.stack = [...pushed];
  }

  run(): bigint {
    for (let steps = 0; !this.code.isOver; steps += 1) {
      if (steps >= STEPS_MOST) throw new RangeError('it does not end');
      this.operate(this.code.u8());
    }
    return this.pop();
  }

  private get bits(): number {
    return 8 * this.scope.addressSize;
  }

  private push(value: bigint | undefined): void {
    if (value === undefined) throw new RangeError('a value is not known');
    this.stack.push(BigInt.asUintN(this.bits, value));
  }

  private pop(): bigint {
    const value = this.stack.pop();
    if (value === undefined) throw new RangeError('nothing is left');
    return value;
  }

  private signed(value: bigint): bigint {
    return BigInt.asIntN(this.bits, value);
  }

  private binary(act: Binary): void {
    const right = this.pop();
    this.push(act(this.pop(), right));
  }

  private operate(op: number): void {
    if (op >= 0x30 && op < 0x50) this.push(BigInt(op - 0x30));
    else if (op >= 0x70 && op < 0x90) this.based(op - 0x70);
    else if (op >= 0x29 && op <= 0x2e) this.compared(op);
    else if (op >= 0x08 && op <= 0x11) this.constant(op);
    else if (op >= 0x12 && op <= 0x17) this.moved(op);
    else if (op >= 0x1a && op <= 0x27) this.counted(op);
    else if (op === 0x28 || op === 0x2f) this.branch(op === 0x2f);
    else this.other(op);
  }

  private other(op: number): void {
    switch (op) {
      case 0x03:
        this.push(this.code.wide(this.scope.addressSize));
        break;
      case 0x06:
        this.push(this.scope.memory(this.pop(), this.scope.addressSize));
        break;
      case 0x94:
        this.push(this.scope.memory(this.pop(), this.code.u8()));
        break;
      case 0x19: {
        const value = this.signed(this.pop());
        this.push(value < 0n ? -value : value);
        break;
      }
      case 0x92:
        this.based(this.code.count());
        break;
      case 0x96:
        break;
      case 0x9c:
        this.push(this.scope.frame);
        break;
      default:
        throw new RangeError(`operation ${op} is not known`);
    }
  }

  private branch(isAlways: boolean): void {
    const by = Number(this.code.signedWide(2));
    if (isAlways || this.pop() !== 0n) this.jump(by);
  }

  private jump(by: number): void {
    const to = this.code.at + by;
    if (to < 0 || to > this.code.end) throw new RangeError('a jump leads out');
    this.code.at = to;
  }

  private based(register: number): void {
    const value = this.scope.register(register);
    const offset = this.code.signed();
    this.push(value === undefined ? undefined : value + offset);
  }

  /** Of 1, 2, 4, 8 bytes without and with sign, and LEB128. */
  private constant(op: number): void {
    const size = 1 << ((op - 0x08) >> 1);
    if (op === 0x10) this.push(this.code.unsigned());
    else if (op === 0x11) this.push(this.code.signed());
    else this.push(op % 2 === 0 ? this.code.wide(size) : this.code.signedWide(size));
  }

  /** Dup, drop, over, pick, swap, rot. */
  private moved(op: number): void {
    const { stack } = this;
    if (op === 0x13) this.pop();
    else if (op === 0x12) this.push(stack.at(-1));
    else if (op === 0x14) this.push(stack.at(-2));
    else if (op === 0x15) this.push(stack.at(-1 - this.code.u8()));
    if (op < 0x16) return;
    const top = [this.pop(), this.pop(), ...(op === 0x17 ? [this.pop()] : [])];
    if (op === 0x16) stack.push(top[0]!, top[1]!);
    else stack.push(top[0]!, top[2]!, top[1]!);
  }

  private counted(op: number): void {
    const act = ARITHMETIC[op];
    if (act !== undefined) this.binary((left, right) => act(this.signed(left), this.signed(right), left, right));
    else if (op === 0x1f) this.push(-this.pop());
    else if (op === 0x20) this.push(~this.pop());
    else this.push(this.pop() + this.code.unsigned());
  }

  private compared(op: number): void {
    const act = COMPARED[op - 0x29] as (left: bigint, right: bigint) => boolean;
    this.binary((left, right) => bit(act(this.signed(left), this.signed(right))));
  }
}

const COMPARED: readonly ((left: bigint, right: bigint) => boolean)[] = [
  (left, right) => left === right,
  (left, right) => left >= right,
  (left, right) => left > right,
  (left, right) => left <= right,
  (left, right) => left < right,
  (left, right) => left !== right,
];

/** A shift by more than there are bits leaves what one by all of them does. */
const shiftOf = (by: bigint): bigint => (by > 64n ? 64n : by);

/** Of both as signed numbers, and as they are. */
const ARITHMETIC: Readonly<Record<number, (a: bigint, b: bigint, left: bigint, right: bigint) => bigint>> = {
  0x1a: (a, b) => a & b,
  0x1b: (a, b) => (b === 0n ? 0n : a / b),
  0x1c: (a, b) => a - b,
  0x1d: (_a, _b, left, right) => (right === 0n ? 0n : left % right),
  0x1e: (a, b) => a * b,
  0x21: (a, b) => a | b,
  0x22: (a, b) => a + b,
  0x24: (_a, _b, left, right) => left << shiftOf(right),
  0x25: (_a, _b, left, right) => left >> shiftOf(right),
  0x26: (a, _b, _left, right) => a >> shiftOf(right),
  0x27: (a, b) => a ^ b,
};
