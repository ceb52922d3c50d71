import { expect, test } from 'vitest';
import { packWrites, unpackWrites } from '../../../src/kvm/io/packed-writes.ts';

test('writes pack and unpack', () => {
  const writes = [{ gpa: 2 ** 51 + 1, bytes: Uint8Array.of(0, 255) }];
  expect(unpackWrites(packWrites(writes))).toEqual(writes);
  expect(unpackWrites(packWrites([]))).toEqual([]);
});
