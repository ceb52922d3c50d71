/** Loops of random 64-bit instructions: what translated code is made of. */

type Random = () => number;

const below = (random: Random, most: number): number => Math.floor(random() * most);
const oneOf = <T>(random: Random, of: readonly T[]): T => of[below(random, of.length)] as T;

/** Where memory operands are: RDI; the loop's counter is R15, the stack is RSP's. */
const RDI = 7;
const GENERAL = [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13];

const imm32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];

/** REX for an operand size and the registers of ModR/M, and the 66 before it. */
function prefixes(size: number, reg: number, rm: number): number[] {
  const rex = 0x40 | (size === 8 ? 8 : 0) | (reg >> 3 ? 4 : 0) | (rm >> 3 ? 1 : 0);
  return [...(size === 2 ? [0x66] : []), rex];
}

const registers = (reg: number, rm: number): number => 0xc0 | ((reg & 7) << 3) | (rm & 7);

/** An instruction with ModR/M: on two registers, or on one and [RDI + displacement]. */
function modrm(random: Random, opcode: readonly number[], size: number, reg: number): number[] {
  if (random() < 0.5) {
    const rm = oneOf(random, GENERAL);
    return [...prefixes(size, reg, rm), ...opcode, registers(reg, rm)];
  }
  // Now and then across the end of a page.
  const displacement = below(random, 12) === 0 ? 4096 - below(random, 9) : 8 * below(random, 64);
  return [...prefixes(size, reg, RDI), ...opcode, 0x87 | ((reg & 7) << 3), ...imm32(displacement)];
}

const ALU = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38];
const SIZES = [1, 2, 4, 8];

function arithmetic(random: Random): number[] {
  const size = oneOf(random, SIZES);
  const opcode = oneOf(random, ALU) + oneOf(random, [0, 2]) + (size === 1 ? 0 : 1);
  return modrm(random, [opcode], size, oneOf(random, GENERAL));
}

function immediate(random: Random): number[] {
  const size = oneOf(random, SIZES);
  return [...modrm(random, [size === 1 ? 0x80 : 0x83], size, below(random, 8)), below(random, 256)];
}

function unary(random: Random): number[] {
  const size = oneOf(random, SIZES);
  const [opcode, extension] = oneOf(random, [
    [0xfe, 0],
    [0xfe, 1],
    [0xf6, 2],
    [0xf6, 3],
    [0xf6, 4],
    [0xf6, 5],
  ] as const);
  return modrm(random, [opcode + (size === 1 ? 0 : 1)], size, extension);
}

function shift(random: Random): number[] {
  const size = oneOf(random, SIZES);
  const extension = below(random, 8);
  const byCount = random() < 0.5;
  const opcode = (byCount ? 0xd2 : 0xc0) + (size === 1 ? 0 : 1);
  return [...modrm(random, [opcode], size, extension), ...(byCount ? [] : [below(random, 256)])];
}

function move(random: Random): number[] {
  const size = oneOf(random, SIZES);
  const reg = oneOf(random, GENERAL);
  const opcode = oneOf(random, [[0x88], [0x8a], [0x0f, 0xb6], [0x0f, 0xbe], [0x86]] as const);
  if (opcode[0] === 0x0f) return modrm(random, opcode, oneOf(random, [2, 4, 8]), reg);
  return modrm(random, [opcode[0] + (size === 1 ? 0 : 1)], size, reg);
}

function conditional(random: Random): number[] {
  const condition = below(random, 16);
  if (random() < 0.5) return modrm(random, [0x0f, 0x90 | condition], 1, 0);
  return modrm(random, [0x0f, 0x40 | condition], oneOf(random, [2, 4, 8]), oneOf(random, GENERAL));
}

function more(random: Random): number[] {
  const reg = oneOf(random, GENERAL);
  return oneOf<() => number[]>(random, [
    () => modrm(random, [0x0f, 0xaf], oneOf(random, [2, 4, 8]), reg),
    () => modrm(random, [0x0f, oneOf(random, [0xa3, 0xab, 0xb3, 0xbb])], 4, below(random, 8)).slice(0, 4),
    () => [...prefixes(8, 0, reg), 0x50 | (reg & 7), ...prefixes(8, 0, reg), 0x58 | (reg & 7)],
    () => modrm(random, [0x0f, 0xc1], oneOf(random, [2, 4, 8]), reg),
    () => modrm(random, [0x0f, 0xb1], oneOf(random, [2, 4, 8]), reg),
    () => [...prefixes(8, 0, reg), 0x0f, 0xc8 | (reg & 7)],
    // PUSHFQ and POP into a register, CLC, STC, CMC, LAHF, CLD.
    () => [0x9c, 0x58],
    () => [oneOf(random, [0xf8, 0xf9, 0xf5, 0x9f, 0xfc])],
    // REP STOSB of a few bytes to where RDI points, which is put back.
    () => [0x57, 0x83, 0xe1, 0x1f, 0xf3, 0xaa, 0x5f],
    // SSE: MOVD to a vector, add, and back.
    () => [0x66, 0x0f, 0x6e, 0xc0, 0x66, 0x0f, 0xfe, 0xc8, 0x66, 0x0f, 0x7e, 0xc8],
  ])();
}

/** Small numbers, which are equal now and then: AND with 3, or MOV of one. */
function small(random: Random): number[] {
  const reg = oneOf(random, GENERAL);
  const extended = reg >> 3 ? [0x41] : [];
  if (random() < 0.5) return [...extended, 0x83, 0xe0 | (reg & 7), 3];
  return [...extended, 0xb8 | (reg & 7), ...imm32(oneOf(random, [0, 1, -1, 0x7f, 0x80, -0x80000000]))];
}

/** CMP or TEST, and one that asks for what it found. */
function comparing(random: Random): number[] {
  const size = oneOf(random, SIZES);
  const opcode = oneOf(random, [0x38, 0x3a, 0x84]) + (size === 1 ? 0 : 1);
  const reg = oneOf(random, GENERAL);
  const asks = conditional(random);
  // Often with itself, which is as large.
  if (random() < 0.3) return [...prefixes(size, reg, reg), opcode, registers(reg, reg), ...asks];
  return [...modrm(random, [opcode], size, reg), ...asks];
}

const KINDS = [
  arithmetic,
  arithmetic,
  immediate,
  unary,
  shift,
  move,
  move,
  conditional,
  comparing,
  comparing,
  small,
  more,
];

const straight = (random: Random, count: number): number[] =>
  Array.from({ length: count }, () => oneOf(random, KINDS)(random)).flat();

/** A condition, and what is passed by should it hold. */
function passing(random: Random): number[] {
  const passed = straight(random, 1 + below(random, 3));
  const found = random() < 0.5 ? comparing(random) : [];
  return [...found, 0x0f, 0x80 | below(random, 16), ...imm32(passed.length), ...passed];
}

/** A call of what is behind it, and a jump beyond that. */
function calling(random: Random): number[] {
  const body = [...straight(random, 1 + below(random, 3)), 0xc3];
  return [0xe8, ...imm32(5), 0xe9, ...imm32(body.length), ...body];
}

/** An inner loop of so many turns: MOV R14D, n; body; DEC R14D; JNZ body. */
function looping(random: Random, turns: number): number[] {
  const body = [...straight(random, 2 + below(random, 4)), 0x41, 0xff, 0xce];
  return [0x41, 0xbe, ...imm32(turns), ...body, 0x0f, 0x85, ...imm32(-(body.length + 6))];
}

/** A program: its parts, again and again, R15 times; then HLT. */
export function program(random: Random): number[] {
  const parts = Array.from({ length: 2 + below(random, 5) }, () => {
    const kind = random();
    if (kind < 0.4) return straight(random, 1 + below(random, 6));
    if (kind < 0.7) return passing(random);
    return kind < 0.85 ? calling(random) : looping(random, 1 + below(random, 6));
  }).flat();
  // DEC R15; JNZ to the beginning; HLT.
  const body = [...parts, 0x49, 0xff, 0xcf];
  return [...body, 0x0f, 0x85, ...imm32(-(body.length + 6)), 0xf4];
}
