import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Choices } from '../../src/engine/code/choices.ts';
import { decodeInstruction, RunDecoder } from '../../src/engine/code/instruction.ts';
import { select } from '../../src/engine/code/select.ts';
import { MODE } from '../../src/engine/state/mode.ts';

/** Whatever has a key has a handler. */
const EVERY = { get: (key: string) => key } as unknown as ReadonlyMap<string, number>;

const BITS = [16, 32, 64] as const;

/** MOV from and to addresses that 32 bits hold, and that they do not. */
const ABSOLUTE = [0xa1, 0xa3].flatMap((opcode) =>
  [0, 1].map((high) => Uint8Array.of(opcode, 0, 0, 0, 1, 0, high, 0, 0, 0)),
);

/** Bytes as code has them: prefixes, then one of the two opcode maps. */
const code = fc
  .tuple(
    fc.array(fc.constantFrom(0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41), { maxLength: 3 }),
    fc.constantFrom([], [], [0x0f], [0x0f, 0x38]),
    fc.oneof(fc.uint8Array({ minLength: 10, maxLength: 10 }), fc.constantFrom(...ABSOLUTE)),
  )
  .map(([prefixes, map, rest]) => Uint8Array.of(...prefixes, ...map, ...rest));

test('an instruction is chosen for as if none of its form had been', () => {
  const choices = new Choices(EVERY);
  const seen = fc.property(code, fc.nat(2), fc.nat(0xffff), (bytes, size, rest) => {
    const mode = (rest & ~MODE.size) | size;
    const d = decodeInstruction(bytes, BITS[size]!, 0n);
    if (typeof d === 'string') return;
    const selection = select(d, mode);
    const { slot, assist } = choices.of(d, mode);
    expect(slot ?? assist).toBe('key' in selection ? selection.key : selection.assist);
  });
  // Few modes, so that forms are met again.
  const again = fc.property(code, fc.nat(2), (bytes, size) => {
    const d = decodeInstruction(bytes, BITS[size]!, 0n);
    if (typeof d === 'string') return;
    const selection = select(d, size);
    const { slot, assist } = choices.of(d, size);
    expect(slot ?? assist).toBe('key' in selection ? selection.key : selection.assist);
  });
  fc.assert(seen, { numRuns: 2000 });
  fc.assert(again, { numRuns: 8000 });
});

test('instructions that follow one another are each what it is alone', () => {
  const run = fc.property(
    fc.array(code, { minLength: 1, maxLength: 8 }),
    fc.nat(2),
    fc.nat(4095),
    (pieces, size, rip) => {
      const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
      const decoder = new RunDecoder(bytes, BITS[size]!, rip);
      for (let at = 0; at < bytes.length; ) {
        const alone = decodeInstruction(bytes.subarray(at, at + 15), BITS[size]!, BigInt(rip + at));
        const next = decoder.next();
        expect(next).toEqual(alone);
        if (typeof next === 'string') break;
        at += next.length;
      }
      decoder.free();
    },
  );
  fc.assert(run, { numRuns: 1000 });
});
