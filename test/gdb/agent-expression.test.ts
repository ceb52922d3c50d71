import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateAgent } from '../../src/gdb/agent-expression.ts';
import { bytesOf } from '../../src/gdb/packet.ts';

const code = (text: string): Uint8Array => bytesOf(text.replaceAll(' ', '')) as Uint8Array;
const nothing = { register: () => undefined, memory: () => undefined };

describe('agent expressions', () => {
  test('tell what gdb asked with `break work if x == 1`', () => {
    // reg 6, const8 16, add, const8 0xd8, ext 8, add, ref64, ext 64, const8 1, equal, end: as gdb 13.1 sent it.
    const sent = code('26000622100222d81608021a164022011327');
    const at = (value: number) =>
      evaluateAgent(sent, {
        register: (number) => (number === 6 ? 0x7000n : undefined),
        memory: (address, length) => {
          expect([address, length]).toEqual([0x7000n + 16n - 40n, 8]);
          return Uint8Array.of(value, 0, 0, 0, 0, 0, 0, 0);
        },
      });
    expect(at(1)).toBe(1n);
    expect(at(2)).toBe(0n);
  });

  test.each([
    ['22 05 22 03 02 27', 8n],
    ['22 03 22 05 03 27', 0xffff_ffff_ffff_fffen],
    ['22 ff 16 08 22 02 05 27', 0n],
    ['22 ff 22 02 06 27', 0x7fn],
    ['22 ff 16 08 22 01 14 27', 1n],
    ['22 ff 16 08 22 01 15 27', 0n],
    ['22 01 22 3f 09 27', 0x8000_0000_0000_0000n],
    ['22 01 22 40 09 27', 0n],
    ['22 ff 16 08 22 04 0a 27', 0xffff_ffff_ffff_ffffn],
    ['24 12 34 56 78 27', 0x12345678n],
    ['22 00 0e 27', 1n],
    ['22 07 28 04 27', 49n],
    ['22 07 22 09 2b 03 27', 2n],
    ['22 07 22 09 32 01 27', 7n],
    ['23 01 ff 2a 08 27', 0xffn],
    ['22 01 20 00 08 22 63 27 22 2a 27', 0x2an],
    ['21 00 05 00 00 22 07 27', 7n],
  ])('%s comes to %d', (text, value) => {
    expect(evaluateAgent(code(text), nothing)).toBe(value);
  });

  test.each([
    ['divide by zero', '22 01 22 00 05 27'],
    ['read unmapped memory', '22 00 1a 27'],
    ['ask for a register that is not there', '26 01 00 27'],
    ['loop for ever', '21 00 00'],
    ['end without an end', '22 01'],
    ['take from an empty stack', '02 27'],
  ])('that %s cannot be told', (_what, text) => {
    expect(evaluateAgent(code(text), nothing)).toBeUndefined();
  });

  test('never throw, whatever the code', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void evaluateAgent(bytes, nothing)));
  });
});
