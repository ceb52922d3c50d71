import { expect, test } from 'vitest';
import { siphash } from '../../src/base/siphash.ts';

/** The paper's example, and the first of its authors' vectors. */
test.each([
  [15, 0xa129ca6149be45e5n],
  [0, 0x726fdb47dd0e0e31n],
])('SipHash-2-4 of %i bytes', (length, hash) => {
  const counted = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, at) => at);
  expect(siphash(counted(16), counted(length))).toBe(hash);
});
