import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BLOCK, type ImageFile } from '../../src/block/image-file.ts';
import { probe } from '../../src/block/formats.ts';
import { raw } from '../../src/block/raw.ts';
import { differsAt, ReadBlocks } from '../../src/block/read-blocks.ts';

const SECTOR = 512;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An image of these bytes, and how often a block of it was asked for. */
function imageOf(bytes: Uint8Array, name = 'disk.raw'): ImageFile & { readonly asked: number[] } {
  const asked: number[] = [];
  const block = (number: number): Uint8Array => {
    asked.push(number);
    return bytes.slice(number * BLOCK, (number + 1) * BLOCK);
  };
  return { name, size: bytes.length, block, asked };
}

/** Bytes that tell where they are. */
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

describe('a raw image', () => {
  const bytes = counting(2 * BLOCK + 700);
  const whole = new Uint8Array(3 * BLOCK);
  whole.set(bytes);

  test.each([
    ['within a block', 100, 300],
    ['over the end of one', BLOCK - 5, 10],
    ['over three', BLOCK - 5, BLOCK + 10],
    ['over the end of the file', 2 * BLOCK + 600, 300],
    ['behind it', 2 * BLOCK + 1000, 24],
  ])('has the bytes of the file, and zeroes behind them: %s', (_where, at, length) => {
    const into = new Uint8Array(length).fill(0xee);
    raw.open(imageOf(bytes)).base.read(at, into);
    expect(into).toEqual(whole.slice(at, at + length));
  });

  test('that ends within a sector has that sector, and says so', () => {
    const { sectors, warning } = raw.open(imageOf(counting(700)));
    expect(sectors).toBe(2);
    expect(warning).toBe('disk.raw has 700 bytes: the guest sees 2 sectors of 512, zeroes at the end of the last.');
    expect(raw.open(imageOf(counting(2 * SECTOR))).warning).toBeUndefined();
  });

  test('is what a file is taken for of which nobody said anything, unless it begins as another', () => {
    expect([bytes, new Uint8Array(0)].map((each) => probe(imageOf(each)))).toEqual(['raw', 'raw']);
    const beginning = (at: number, magic: string): Uint8Array => {
      const disk = new Uint8Array(SECTOR);
      disk.set(Buffer.from(magic, 'latin1'), at);
      return disk;
    };
    expect(() => probe(imageOf(beginning(0, 'QFI\xfb')))).toThrow('disk.raw is an image of format qcow2');
    expect(() => probe(imageOf(beginning(0x40, '\x7f\x10\xda\xbe')))).toThrow('format vdi, which is not supported');
    expect(probe(imageOf(beginning(1, 'QFI\xfb')))).toBe('raw');
  });

  test('without a byte is no disk', () => {
    expect(() => raw.open(imageOf(new Uint8Array(0)))).toThrow('Cannot use disk.raw as a disk: it is empty.');
  });
});

describe('the blocks a run has read', () => {
  const bytes = counting(3 * BLOCK);
  const other = bytes.slice();
  other[2 * BLOCK + 9]! ^= 1;

  /** Read blocks of two files, one of them twice. */
  function read(): ReadBlocks {
    const blocks = new ReadBlocks(sha256);
    const [first, second] = [blocks.watched(0, imageOf(bytes)), blocks.watched(1, imageOf(other))];
    for (const block of [2, 0, 2]) first.block(block);
    second.block(2);
    return blocks;
  }

  test('are known in the order in which they were read first, each once', () => {
    expect(read().list).toEqual([
      { file: 0, block: 2, sha256: sha256(bytes.subarray(2 * BLOCK)) },
      { file: 0, block: 0, sha256: sha256(bytes.subarray(0, BLOCK)) },
      { file: 1, block: 2, sha256: sha256(other.subarray(2 * BLOCK)) },
    ]);
  });

  test('tell another image at the first of them that differs or is not there, and no sooner', () => {
    const blocks = new ReadBlocks(sha256, read().list);
    expect(blocks.list).toEqual(read().list);
    expect(blocks.firstDifference(0, imageOf(bytes))).toBeUndefined();
    expect(blocks.firstDifference(0, imageOf(other))).toBe(2);
    expect(blocks.firstDifference(0, imageOf(bytes.slice(0, BLOCK)))).toBe(2);
    expect(blocks.firstDifference(7, imageOf(other))).toBeUndefined();
    const watched = blocks.watched(0, imageOf(other));
    expect(watched.block(0)).toEqual(bytes.subarray(0, BLOCK));
    expect(watched.block(1)).toEqual(bytes.subarray(BLOCK, 2 * BLOCK));
    expect(() => watched.block(2)).toThrow(`disk.raw is another image than the run had: ${differsAt(2)}.`);
  });

  test('are digested once where the file keeps them', () => {
    let digests = 0;
    const blocks = new ReadBlocks((content) => {
      digests += 1;
      return sha256(content);
    });
    const kept = bytes.slice(0, BLOCK);
    const file = blocks.watched(0, { name: 'kept', size: BLOCK, block: () => kept });
    for (let times = 0; times < 3; times += 1) expect(file.block(0)).toBe(kept);
    expect(digests).toBe(1);
  });
});
