import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader } from '../../../src/base/byte-reader.ts';
import { byteWriter, written } from '../../../src/replay/trace/bytes.ts';
import { readPlain, writePlain } from '../../../src/replay/trace/plain-value.ts';

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(undefined),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value').filter((value) => value !== undefined),
      { noNullPrototype: true },
    ),
  ),
})).value;

test('a plain value is read as it was written, to the sign of a zero', () => {
  fc.assert(
    fc.property(plain, (value) => {
      const out = byteWriter(1);
      writePlain(out, value);
      const input = new ByteReader(written(out), 'the value');
      expect(readPlain(input)).toStrictEqual(value);
      expect(input.at).toBe(out.length);
    }),
  );
});

test('a key without a value is left out', () => {
  const out = byteWriter();
  writePlain(out, { left: undefined, right: 1 });
  expect(Object.keys(readPlain(new ByteReader(written(out), 'the value')) as object)).toEqual(['right']);
});
