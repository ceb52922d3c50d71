import { expect, test } from 'vitest';
import { Interned } from './align.ts';
import { pack, unpack } from './packed.ts';

test('a packed stream unpacks to the same instructions', () => {
  const table = new Interned();
  const texts = ['f0000:e05b:fa (real)', 'a', 'b', 'a', 'b', 'c', 'a', 'b', 'a', 'b', 'b', 'b'];
  const ids = Int32Array.from(texts, (text) => table.id(text));
  const other = new Interned();
  other.id('something else');
  expect(Array.from(unpack(pack(ids, table), other), (id) => other.text(id))).toEqual(texts);
});
