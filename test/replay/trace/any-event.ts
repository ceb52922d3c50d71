import fc from 'fast-check';
import type { FieldType } from '../../../src/events/schema.ts';
import { VOCABULARY } from '../../../src/events/vocabulary.ts';

const VALUES: Readonly<Record<FieldType, fc.Arbitrary<unknown>>> = {
  u: fc.maxSafeNat(),
  i: fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  text: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array({ maxLength: 20 }),
  packet: fc.uint8Array({ maxLength: 100 }),
  bool: fc.boolean(),
};

/** An event of any kind, its fields anything of their types. */
export const anyEvent = fc.oneof(
  ...Object.entries(VOCABULARY).map(([kind, row]) =>
    fc.record({
      kind: fc.constant(kind),
      ...Object.fromEntries(Object.entries(row.fields).map(([name, type]) => [name, VALUES[type as FieldType]])),
    }),
  ),
);
