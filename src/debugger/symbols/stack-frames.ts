import type { SymbolTable } from './symbols.ts';

/** What a frame leaves to find its caller by. */
export interface StackTop {
  readonly ip: bigint;
  readonly sp: bigint;
  readonly bp: bigint;
}

/** The guest's memory: words of the stack, and code. `size`: bytes of a word. */
export interface StackMemory {
  readonly size: number;
  memory(address: bigint, size: number): bigint | undefined;
  code(address: bigint, length: number): Uint8Array;
}

const ENDBR = [0xf3, 0x0f, 0x1e];
const PUSH_RBP = 0x55;
const RET = 0xc3;
const LONGEST_PROLOGUE = 16;

/**
 * The caller of a function without call frame information, by what it has pushed so far: nothing before its first
 * instruction and before its RET, the frame pointer behind `push %rbp`. Undefined when that is unknown here, or what is
 * found is no address a call returns to.
 */
export function byPrologue(
  symbols: SymbolTable,
  memory: StackMemory,
  { ip, sp, bp }: StackTop,
  isExact: boolean,
): StackTop | undefined {
  const start = symbols.symbolAt(isExact ? ip : ip - 1n)?.address;
  if (start === undefined) return undefined;
  const { size } = memory;
  const word = BigInt(size);
  const done = isExact ? pushedBefore(memory, start, ip) : 'frame';
  const [at, base] = done === 'nothing' ? [sp, bp] : [sp + word, memory.memory(sp, size)];
  if (done === 'frame' || base === undefined) return undefined;
  const caller = memory.memory(at, size);
  return caller === undefined || !followsCall(memory.code, caller)
    ? undefined
    : { ip: caller, sp: at + word, bp: base };
}

/** What a function has on the stack before an instruction: nothing, its caller's frame pointer, or a frame of its own. */
function pushedBefore({ code, size }: StackMemory, start: bigint, ip: bigint): 'nothing' | 'pointer' | 'frame' {
  if (ip === start || code(ip, 1)[0] === RET) return 'nothing';
  const offset = Number(ip - start);
  const bytes = code(start, LONGEST_PROLOGUE);
  const skipped = ENDBR.every((byte, index) => bytes[index] === byte) ? 4 : 0;
  if (bytes[skipped] !== PUSH_RBP || offset > LONGEST_PROLOGUE) return 'frame';
  if (offset <= skipped) return 'nothing';
  const move = size === 8 ? [0x48, 0x89, 0xe5] : [0x89, 0xe5];
  const isMove = move.every((byte, index) => bytes[skipped + 1 + index] === byte);
  return isMove && offset <= skipped + 1 ? 'pointer' : 'frame';
}

/** Callers by frame pointers, and where the stack goes on above the last. */
export function framePointers(
  { memory, code, size }: StackMemory,
  { sp, bp }: StackTop,
  most: number,
): { readonly addresses: bigint[]; readonly stack: bigint } {
  const addresses: bigint[] = [];
  let [stack, frame] = [sp, bp];
  while (addresses.length < most && frame >= stack) {
    const [next, address] = [memory(frame, size), memory(frame + BigInt(size), size)];
    if (next === undefined || address === undefined || !followsCall(code, address)) break;
    addresses.push(address);
    stack = frame + BigInt(2 * size);
    frame = next;
  }
  return { addresses, stack };
}

const CALL_RELATIVE = 0xe8;
const GROUP_5 = 0xff;
/** Bytes of an indirect call: opcode, ModRM, SIB, displacement. */
const INDIRECT_LENGTHS = [2, 3, 4, 6, 7];

/** Whether the bytes before an address are a near call: only then can it be where a callee returns to. */
export function followsCall(code: StackMemory['code'], address: bigint): boolean {
  if (address < 16n) return false;
  const before = code(address - 7n, 7);
  if (before.length < 7) return false;
  if (before[2] === CALL_RELATIVE) return true;
  return INDIRECT_LENGTHS.some(
    (length) => before[7 - length] === GROUP_5 && (((before[8 - length] as number) >> 3) & 7) === 2,
  );
}
