import { expect, test } from 'vitest';
import { engineWith, enterLongMode, NO_EVENT, putTables, SLOT_BYTES } from './long-mode.ts';

/** A loop that counts in a byte beside itself, with a hundred instructions behind its branch. */
const CODE = [
  0xeb,
  0x01,
  0x00, // jmp over a byte
  0xfe,
  0x05,
  0xf9,
  0xff,
  0xff,
  0xff, // inc byte [that one]
  0x75,
  0xf8, // jnz the instruction before
  ...new Array<number>(100).fill(0x90),
  0xe9,
  0x8c,
  0xff,
  0xff,
  0xff, // jmp to INC
];
const TICKS = 5000;

test('what a guest overwrites all the time is not decoded far ahead', () => {
  const engine = engineWith({ hostBytes: SLOT_BYTES });
  engine.addVcpu();
  putTables(engine, 0);
  enterLongMode(engine, 0, CODE);
  expect(engine.run(0, TICKS, NO_EVENT)).toMatchObject({ why: 'budget', ticks: TICKS });
  expect(engine.processor.code.decoded).toBeLessThan(4 * TICKS);
});
