import { inflateRawSync } from 'node:zlib';
import seedrandom from 'seedrandom';
import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../src/machine/checkpoint.ts';
import { BLOCK_PAGES, eachDifference, followPages, PAGE_SIZE, type PageImage } from '../../src/memory/pages.ts';
import { type Base, SparseBytes } from '../../src/memory/sparse.ts';
import { openCheckpoints } from '../../src/replay/trace/checkpoint-reader.ts';
import { createCheckpointWriter } from '../../src/replay/trace/checkpoint-writer.ts';
import { bareState, deflate, memorySink, sourceOf } from '../replay/trace/sample.ts';

const GIGABYTE = 2 ** 30;
const DISK = 10 * GIGABYTE;
const WRITTEN = 100 * 2 ** 20;
const PIECE = 256 * 1024;

/** An image file of which each byte tells where it lies. */
const base: Base & { asked: number } = {
  asked: 0,
  read(at, into) {
    base.asked += into.length;
    for (let i = 0; i < into.length; i += 1) into[i] = ((at + i) / PAGE_SIZE) & 0xff;
  },
};

/** A region that counts how often its pages are looked at. */
class Counted extends SparseBytes {
  looked = 0;

  override page(page: number): Uint8Array | undefined {
    this.looked += 1;
    return super.page(page);
  }
}

const disk = (size = DISK): Counted => new Counted('disk', size, base);

function differences(left: PageImage, right: PageImage): number {
  let count = 0;
  left.forEach((region, at) => eachDifference(region, right[at], () => (count += 1)));
  return count;
}

const noise = (seed: number, length: number): Uint8Array => {
  const chance = seedrandom.alea(`${seed}`);
  return Uint8Array.from({ length }, () => chance.int32());
};

/** 100 MB here and there, of few different pieces. */
function write(region: SparseBytes): void {
  const pieces = [1, 2, 3].map((seed) => noise(seed, PIECE));
  const stride = Math.floor(DISK / (WRITTEN / PIECE) / PAGE_SIZE) * PAGE_SIZE;
  for (let piece = 0; piece < WRITTEN / PIECE; piece += 1) region.write(piece * stride, pieces[piece % 3]!);
}

test('a disk reads as its base until it is written, and then as it was written, byte by byte', () => {
  const size = 40 * PAGE_SIZE;
  const region = disk(size);
  const flat = new Uint8Array(size);
  base.read(0, flat);
  const pages = followPages([region]);
  const chance = seedrandom.alea('bytes');
  const kept: { image: PageImage; bytes: Uint8Array; digest: string }[] = [];
  for (let round = 0; round < 300; round += 1) {
    const at = Math.floor(chance() * size);
    const length = Math.floor(chance() * Math.min(size - at, 3 * PAGE_SIZE));
    const bytes = noise(round, length);
    if (round % 5 === 0) region.clear(at, length);
    else region.write(at, bytes);
    flat.set(round % 5 === 0 ? new Uint8Array(length) : bytes, at);
    const read = new Uint8Array(size);
    region.read(0, read);
    expect(Buffer.compare(read, flat)).toBe(0);
    if (round % 20 === 0) kept.push({ image: pages.image(), bytes: flat.slice(), digest: pages.digest() });
    if (round % 70 !== 69) continue;
    const { image, bytes: then, digest } = kept[Math.floor(chance() * kept.length)]!;
    pages.restore(image);
    expect(pages.digest()).toBe(digest);
    region.read(0, flat);
    expect(Buffer.compare(flat, then)).toBe(0);
  }
});

test('a disk of another size has what it had as far as it goes on, and zeroes where it grew', () => {
  const largest = (BLOCK_PAGES + 40) * PAGE_SIZE;
  let size = 8 * PAGE_SIZE + 512;
  let shown = size;
  const region = disk(size);
  const flat = new Uint8Array(largest);
  base.read(0, flat.subarray(0, size));
  const pages = followPages([region]);
  const chance = seedrandom.alea('sizes');
  const kept: { image: PageImage; bytes: Uint8Array; digest: string; size: number; shown: number }[] = [];
  for (let round = 0; round < 400; round += 1) {
    const at = Math.floor(chance() * size);
    const bytes = noise(round, Math.floor(chance() * Math.min(size - at, 3 * PAGE_SIZE)));
    region.write(at, bytes);
    flat.set(bytes, at);
    if (round % 3 === 0) {
      size = 512 * (1 + Math.floor(chance() * (largest / 512)));
      shown = Math.min(shown, size);
      region.resize(size);
      flat.fill(0, size);
    }
    const read = new Uint8Array(size);
    region.read(0, read);
    expect(Buffer.compare(read, flat.subarray(0, size))).toBe(0);
    const copied = new Uint8Array(size);
    region.copy().read(0, copied);
    expect(Buffer.compare(copied, read)).toBe(0);
    expect(() => region.read(size, new Uint8Array(1))).toThrow('bytes lie within their region');
    if (round % 10 === 0) kept.push({ image: pages.image(), bytes: flat.slice(), digest: pages.digest(), size, shown });
    if (round % 25 !== 24) continue;
    const then = kept[Math.floor(chance() * kept.length)]!;
    pages.restore(then.image);
    region.reshape(then.size, then.shown);
    ({ size, shown } = then);
    flat.set(then.bytes);
    expect(pages.digest()).toBe(then.digest);
  }
});

test('what is written outside is refused', () => {
  expect(() => disk().write(DISK - 1, new Uint8Array(2))).toThrow('bytes lie within their region');
  expect(() => disk().read(-1, new Uint8Array(2))).toThrow('bytes lie within their region');
});

describe('a disk of 10 GB with 100 MB written', () => {
  const region = disk();
  const pages = followPages([region]);
  const empty = pages.image();
  const [emptyDigest, asked, heap] = [pages.digest(), base.asked, process.memoryUsage()];
  write(region);
  const image = pages.image();
  const digest = pages.digest();
  const cost = { heap: process.memoryUsage(), asked: base.asked - asked, looked: region.looked };

  test('costs what was written', () => {
    const { arrayBuffers, heapUsed } = cost.heap;
    expect(arrayBuffers + heapUsed - heap.arrayBuffers - heap.heapUsed).toBeLessThan(2 * WRITTEN);
    expect(cost.asked).toBe(0);
    expect(differences(image, empty)).toBe(WRITTEN / PAGE_SIZE);
    expect(cost.looked).toBe(2 * (WRITTEN / PAGE_SIZE));
  });

  test('a checkpoint looks at the pages written since the last, and shares the others', () => {
    const before = region.looked;
    expect(pages.image()).toEqual(image);
    expect(pages.image()[0]).toBe(image[0]);
    region.write(7 * GIGABYTE + 100, noise(9, 512));
    const next = pages.image();
    expect(region.looked - before).toBe(1);
    expect(differences(next, image)).toBe(1);
    expect(next[0]!.filter((block, at) => block !== image[0]![at]).length).toBe(1);
    expect(pages.digest()).not.toBe(digest);
    pages.restore(image);
    expect(pages.digest()).toBe(digest);
  });

  test('is put back to what it was, and forth', () => {
    pages.restore(empty);
    expect(pages.digest()).toBe(emptyDigest);
    const bytes = new Uint8Array(PAGE_SIZE);
    region.read(0, bytes);
    expect(bytes).toEqual(new Uint8Array(PAGE_SIZE));
    region.read(PAGE_SIZE, bytes);
    expect(bytes).toEqual(new Uint8Array(PAGE_SIZE).fill(1));
    pages.restore(image);
    expect(pages.digest()).toBe(digest);
    region.read(0, bytes);
    expect(bytes).toEqual(noise(1, PIECE).slice(0, PAGE_SIZE));
    const again = followPages([region]);
    again.restore(image);
    expect(again.image()[0]).toBe(image[0]);
  });

  test('a stored checkpoint holds what was written, and comes back', () => {
    const at = (seq: number, of: PageImage): Checkpoint => ({ seq, tick: seq, state: bareState(seq), pages: of });
    const memory = [new Array<Uint8Array>(BLOCK_PAGES).fill(noise(4, PAGE_SIZE))];
    const sink = memorySink();
    const writer = createCheckpointWriter(sink, deflate, at(0, [memory, empty[0]!]));
    writer.add(at(1, [memory, image[0]!]));
    writer.add(at(2, [memory, empty[0]!]));
    writer.add(at(3, [memory, image[0]!]));
    const identity = { trace: 't', program: 'p' };
    writer.close(identity, []);
    const file = sink.bytes();
    // Three pieces of noise, and ten bytes a page to say where.
    expect(file.length).toBeLessThan(3 * PIECE + 3 * 10 * (WRITTEN / PAGE_SIZE));
    const inflate = (stored: Uint8Array, length: number) => inflateRawSync(stored, { maxOutputLength: length });
    const { stored } = openCheckpoints(sourceOf(file), inflate, identity, (sentence) => expect(sentence).toBe(''));
    const first = at(0, [memory, empty[0]!]);
    for (const [place, wanted] of [image, empty, image].entries()) {
      const loaded = stored!.load(place, first)!.pages[1]!;
      eachDifference(loaded, wanted[0], (_, left, right) => expect(Buffer.compare(left, right!)).toBe(0));
      expect(differences([loaded], empty)).toBe(differences(wanted, empty));
    }
    const other = disk();
    const others = followPages([other]);
    others.restore([stored!.load(2, first)!.pages[1]!]);
    expect(others.digest()).toBe(digest);
  });
});

test('a copy of a disk stays as it was, and shares what neither has changed since', () => {
  const region = disk(64 * PAGE_SIZE);
  const written = noise(1, 3 * PAGE_SIZE);
  region.write(5 * PAGE_SIZE + 100, written);
  const pages = followPages([region]);
  const image = pages.image();
  const kept = region.copy();
  region.write(5 * PAGE_SIZE + 200, Uint8Array.of(1, 2, 3));
  region.clear(6 * PAGE_SIZE, 10);
  kept.write(7 * PAGE_SIZE, Uint8Array.of(9));
  const bytesOf = (from: SparseBytes): Uint8Array => {
    const bytes = new Uint8Array(3 * PAGE_SIZE);
    from.read(5 * PAGE_SIZE + 100, bytes);
    return bytes;
  };
  const [ofKept, ofRegion] = [written.slice(), written.slice()];
  ofKept[2 * PAGE_SIZE - 100] = 9;
  ofRegion.set([1, 2, 3], 100);
  ofRegion.fill(0, PAGE_SIZE - 100, PAGE_SIZE - 90);
  expect(bytesOf(kept)).toEqual(ofKept);
  expect(bytesOf(region)).toEqual(ofRegion);
  expect(region.page(8)).toBe(kept.page(8));
  // What was written after the copy is told and restored as before.
  expect(differences(pages.image(), image)).toBe(2);
  pages.restore(image);
  expect(bytesOf(region)).toEqual(written);
});
