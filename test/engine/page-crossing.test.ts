import { expect, test } from 'vitest';
import {
  AT,
  engineWith,
  enterLongMode,
  HLT,
  LINEAR,
  NO_EVENT,
  putQuad,
  putTables,
  quadOf,
  SLOT_BYTES,
} from './long-mode.ts';

/** Two pages far from each other in memory, which follow each other from one byte below `border` on. */
const [LOWER, UPPER] = [0x30000, 0x50000];

/** Read the upper page, then 8 bytes over the border, then write them. R13: the border. */
const CODE = [
  0x49,
  0x8b,
  0x45,
  0x00, // mov rax,[r13]
  0x49,
  0x89,
  0x45,
  0x08, // mov [r13+8],rax
  0x49,
  0x8b,
  0x5d,
  0xfc, // mov rbx,[r13-4]
  0x48,
  0xff,
  0xc3, // inc rbx
  0x49,
  0x89,
  0x5d,
  0xfc, // mov [r13-4],rbx
  0xf4, // hlt
];

/** The borders at which the two pages' numbers differ most, and a few others. */
const BORDERS = [
  LINEAR + 0x60000n,
  0x3e_0000_0000n,
  ...Array.from({ length: 35 }, (_, bit) => 1n << BigInt(12 + bit)).filter((border) => border !== LINEAR),
];

test.each(BORDERS.map((border) => [border.toString(16), border] as const))('accesses over 0x%s', (_, border) => {
  const engine = engineWith({ hostBytes: SLOT_BYTES });
  engine.addVcpu();
  putTables(engine, 0);
  let free = SLOT_BYTES / 2 + 0x10000;
  for (const [linear, frame] of [
    [border - 0x1000n, LOWER],
    [border, UPPER],
  ] as const) {
    let table: number = AT.pml4;
    for (const shift of [39n, 30n, 21n]) {
      const entry = table + 8 * Number((linear >> shift) & 511n);
      if (quadOf(engine, entry) === 0n) putQuad(engine, entry, BigInt((free += 4096)) | 7n);
      table = Number(quadOf(engine, entry) & ~0xfffn);
    }
    putQuad(engine, table + 8 * Number((linear >> 12n) & 511n), BigInt(frame) | 7n);
  }
  putQuad(engine, LOWER + 0xff8, 0x1111_1111_2222_2222n);
  putQuad(engine, UPPER, 0x3333_3333_4444_4444n);
  enterLongMode(engine, 0, CODE);
  engine.registers(0).setGpr(13, border);
  expect(engine.run(0, 100, NO_EVENT).exit.reason).toBe(HLT);
  expect(engine.registers(0).gpr(3)).toBe(0x4444_4444_1111_1112n);
  expect(quadOf(engine, LOWER + 0xff8)).toBe(0x1111_1112_2222_2222n);
});
