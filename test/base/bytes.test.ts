import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { base64, fromBase64, latin1 } from '../../src/base/bytes.ts';
import { fileName } from '../../src/base/file-name.ts';

const BYTES = Uint8Array.from({ length: 100_001 }, (_, index) => (index * 7) & 0xff);

test.each([0, 1, 2, 3, 256, BYTES.length])('%i bytes are text and base64 as Node makes them', (length) => {
  const bytes = BYTES.subarray(0, length);
  expect(latin1(bytes)).toBe(Buffer.from(bytes).toString('latin1'));
  expect(base64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
  expect(fromBase64(base64(bytes))).toEqual(bytes);
});

test.each(['vmlinuz', '/boot/vmlinuz', './a/b.elf', 'a/b/', '/', '', 'a//b//', '..', 'own:guests/tour/tour.elf'])(
  'the name of %j is its base name',
  (path) => expect(fileName(path)).toBe(basename(path)),
);
