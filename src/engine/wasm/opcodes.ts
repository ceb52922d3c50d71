/** Binary integer operators: opcode for i32 and i64. */
export const BINARY = {
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

/** Comparisons: opcode for i32 and i64. */
export const COMPARE = {
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

/** Operators of one operand: opcode for i32 and i64. */
export const UNARY = { clz: [0x67, 0x79], ctz: [0x68, 0x7a], popcnt: [0x69, 0x7b] } as const;

/** Memory accesses: opcode and natural alignment (log2). */
export const LOADS = {
  i32: { 1: [0x2d, 0], 2: [0x2f, 1], 4: [0x28, 2], 8: undefined },
  i64: { 1: [0x31, 0], 2: [0x33, 1], 4: [0x35, 2], 8: [0x29, 3] },
} as const;
/** The same, extending the sign. */
export const SIGNED_LOADS = {
  i32: { 1: [0x2c, 0], 2: [0x2e, 1], 4: [0x28, 2], 8: undefined },
  i64: { 1: [0x30, 0], 2: [0x32, 1], 4: [0x34, 2], 8: [0x29, 3] },
} as const;
/** Stores alike. */
export const STORES = {
  i32: { 1: [0x3a, 0], 2: [0x3b, 1], 4: [0x36, 2], 8: undefined },
  i64: { 1: [0x3c, 0], 2: [0x3d, 1], 4: [0x3e, 2], 8: [0x37, 3] },
} as const;

/** What a binary operator of two constants comes to, as far as it is worked out here. `x` and `y` are unsigned. */
export function fold(name: keyof typeof BINARY, type: 'i32' | 'i64', x: bigint, y: bigint): bigint | undefined {
  const bits = type === 'i64' ? 63n : 31n;
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
