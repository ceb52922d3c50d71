import { expect, test } from 'vitest';
import { FramedReader, framed } from '../../src/packets/framed.ts';

const frame = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at * 7);
const LENGTHS = [60, 0, 1, 1514, 300, 4, 5];
const STREAM = Uint8Array.from(LENGTHS.flatMap((length) => [...framed(frame(length))]));

test('a frame goes behind its length', () => {
  expect([...framed(frame(0x1234)).subarray(0, 6)]).toEqual([0, 0, 0x12, 0x34, 0, 7]);
});

test.each([1, 3, 4, 5, 61, STREAM.length])('frames are the same in pieces of %d bytes', (piece) => {
  const reader = new FramedReader(69_632);
  const found: Uint8Array[] = [];
  for (let at = 0; at < STREAM.length; at += piece) found.push(...reader.add(STREAM.subarray(at, at + piece)));
  expect(found.map(({ length }) => length)).toEqual(LENGTHS);
  expect(found[3]).toEqual(frame(1514));
  expect(reader.isInside).toBe(false);
});

test('one that has begun is not whole, and one that is too long is none', () => {
  const reader = new FramedReader(100);
  expect(reader.add(framed(frame(60)).subarray(0, 3))).toEqual([]);
  expect(reader.isInside).toBe(true);
  expect(reader.add(Uint8Array.from([60, ...frame(60), 0xff, 0xff, 0xff, 0xff, 1, 2]))).toEqual([frame(60)]);
  expect(reader.tooLong).toBe(0xffff_ffff);
  expect(reader.add(framed(frame(1)))).toEqual([]);
});
