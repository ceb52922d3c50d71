/** Conditions of breakpoints, sent by gdb as bytecode. GDB manual, appendix F "The GDB Agent Expression Mechanism". */

/** What an expression may look at. */
export interface AgentView {
  /** A register by its number in the target description. */
  register(number: number): bigint | undefined;
  /** Little-endian memory; undefined where nothing is mapped. */
  memory(address: bigint, length: number): Uint8Array | undefined;
}

/** Instructions after which an expression is taken to loop for ever. */
const LONGEST = 1000;
const DEEPEST = 1000;

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const word = (value: bigint): bigint => BigInt.asUintN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

type Two = (left: bigint, right: bigint) => bigint | undefined;

const divided =
  (divide: Two): Two =>
  (left, right) =>
    right === 0n ? undefined : divide(left, right);

/** Opcodes that take two values and leave one. */
const TWO: Readonly<Record<number, Two>> = {
  0x02: (left, right) => left + right,
  0x03: (left, right) => left - right,
  0x04: (left, right) => left * right,
  0x05: divided((left, right) => signed(left) / signed(right)),
  0x06: divided((left, right) => left / right),
  0x07: divided((left, right) => signed(left) % signed(right)),
  0x08: divided((left, right) => left % right),
  0x09: (left, right) => (right > 63n ? 0n : left << right),
  0x0a: (left, right) => signed(left) >> (right > 63n ? 63n : right),
  0x0b: (left, right) => (right > 63n ? 0n : left >> right),
  0x0f: (left, right) => left & right,
  0x10: (left, right) => left | right,
  0x11: (left, right) => left ^ right,
  0x13: (left, right) => truth(left === right),
  0x14: (left, right) => truth(signed(left) < signed(right)),
  0x15: (left, right) => truth(left < right),
};

const REFERENCES: Readonly<Record<number, number>> = { 0x17: 1, 0x18: 2, 0x19: 4, 0x1a: 8 };
const CONSTANTS: Readonly<Record<number, number>> = { 0x22: 1, 0x23: 2, 0x24: 4, 0x25: 8 };

interface Run {
  readonly code: Uint8Array;
  readonly view: AgentView;
  readonly stack: bigint[];
  at: number;
}

/** The value of an expression; undefined when it cannot be told: unmapped memory, an unknown opcode, no end. */
export function evaluateAgent(code: Uint8Array, view: AgentView): bigint | undefined {
  const run: Run = { code, view, stack: [], at: 0 };
  for (let count = 0; count < LONGEST; count += 1) {
    const opcode = code[run.at];
    if (opcode === undefined) return undefined;
    run.at += 1;
    if (opcode === 0x27) return run.stack.pop();
    if (!execute(run, opcode) || run.stack.length > DEEPEST) return undefined;
  }
  return undefined;
}

function execute(run: Run, opcode: number): boolean {
  const { stack } = run;
  const two = TWO[opcode];
  if (two !== undefined) {
    const right = stack.pop();
    const left = stack.pop();
    return push(run, left === undefined || right === undefined ? undefined : two(left, right));
  }
  const size = REFERENCES[opcode];
  if (size !== undefined) return push(run, load(run, stack.pop(), size));
  const length = CONSTANTS[opcode];
  if (length !== undefined) return push(run, operand(run, length));
  return opcode >= 0x20 && opcode <= 0x26 ? control(run, opcode) : shuffle(run, opcode);
}

function push(run: Run, value: bigint | undefined): boolean {
  if (value === undefined) return false;
  run.stack.push(word(value));
  return true;
}

function load({ view }: Run, address: bigint | undefined, size: number): bigint | undefined {
  const bytes = address === undefined ? undefined : view.memory(address, size);
  return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** A big-endian operand in the code. */
function operand(run: Run, length: number): bigint | undefined {
  if (run.at + length > run.code.length) return undefined;
  let value = 0n;
  for (let i = 0; i < length; i += 1) value = (value << 8n) | BigInt(run.code[run.at + i]!);
  run.at += length;
  return value;
}

/** if_goto, goto and reg. */
function control(run: Run, opcode: number): boolean {
  const number = operand(run, 2);
  if (number === undefined) return false;
  if (opcode === 0x26) return push(run, run.view.register(Number(number)));
  if (opcode === 0x21) {
    run.at = Number(number);
    return true;
  }
  const condition = run.stack.pop();
  if (condition === undefined) return false;
  if (condition !== 0n) run.at = Number(number);
  return opcode === 0x20;
}

/** Opcodes on the top of the stack: logic, extension, order. */
function shuffle(run: Run, opcode: number): boolean {
  const { stack } = run;
  if (opcode === 0x32) {
    const depth = operand(run, 1);
    return push(run, depth === undefined ? undefined : stack[stack.length - 1 - Number(depth)]);
  }
  const top = stack.pop();
  if (top === undefined) return false;
  switch (opcode) {
    case 0x0e:
      return push(run, truth(top === 0n));
    case 0x12:
      return push(run, ~top);
    case 0x16:
      return extend(run, top, BigInt.asIntN);
    case 0x2a:
      return extend(run, top, BigInt.asUintN);
    case 0x28:
      return push(run, top) && push(run, top);
    case 0x29:
      return true;
    case 0x2b:
      return insertBelow(run, top, 1);
    case 0x33:
      return insertBelow(run, top, 2);
    default:
      return false;
  }
}

function extend(run: Run, value: bigint, to: (bits: number, value: bigint) => bigint): boolean {
  const bits = operand(run, 1);
  return bits !== undefined && bits > 0n && bits <= 64n && push(run, to(Number(bits), value));
}

/** swap: a b => b a; rot: a b c => c a b. */
function insertBelow({ stack }: Run, top: bigint, depth: number): boolean {
  if (stack.length < depth) return false;
  stack.splice(stack.length - depth, 0, top);
  return true;
}
