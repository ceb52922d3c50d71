import { describe, expect, test } from 'vitest';
import { driver } from '../../../src/devices/edu/index.ts';
import { Bench, writeConfig } from '../recorder.ts';

const SETUP = { dma_mask: 0xfff_ffff, romfile: '', romsize: 0, rombar: 1 };
const COMPUTING = 1;
const INTERRUPTS = 0x80;

const edu = (setup = SETUP) => new Bench(driver.create(setup), driver.reducer, driver.atReset(setup));

describe('the factorial', () => {
  test.each([
    [0, 1],
    [5, 120],
    [12, 479_001_600],
    [13, 1_932_053_504],
    [33, 0x8000_0000],
    [34, 0],
    [0xffff_ffff, 0],
  ])('of %i is %i in 32 bits', (n, product) => {
    const b = edu();
    b.write(0x08, n, 4);
    expect(b.read(0x20, 4)).toBe(COMPUTING);
    b.write(0x08, 3, 4);
    b.pass(1_000_000);
    expect([b.read(0x08, 4), b.read(0x20, 4), b.read(0x24, 4)]).toEqual([product, 0, 0]);
  });

  test('interrupts when it is done, where that is asked for, until it is acknowledged', () => {
    const b = edu();
    b.write(0x20, INTERRUPTS, 4);
    b.write(0x08, 4, 4);
    b.pass(1_000_000);
    expect([b.read(0x24, 4), b.pin('intx'), b.messages]).toEqual([1, true, [0]]);
    b.write(0x64, 1, 4);
    expect([b.read(0x24, 4), b.pin('intx')]).toEqual([0, false]);
  });
});

describe('a transfer', () => {
  const start = (b: ReturnType<typeof edu>, from: number, to: number, count: number, command: number): void => {
    b.write(0x80, from, 8);
    b.write(0x88, to, 8);
    b.write(0x90, count, 8);
    b.write(0x98, command, 8);
  };

  test('takes 100 ms, and carries bytes into the buffer and back', () => {
    const b = edu();
    writeConfig(b, 4, 2, 6);
    b.memory.set([1, 2, 3, 4, 5], 0x100);
    start(b, 0x100, 0x4_0010, 5, 0x5);
    b.write(0x80, 0x999, 4);
    b.pass(99_999_999);
    expect([b.read(0x98, 4), b.read(0x80, 4)]).toEqual([5, 0x100]);
    b.pass(1);
    expect([b.read(0x98, 4), b.read(0x24, 4), b.messages]).toEqual([4, 0x100, [0]]);
    start(b, 0x4_0011, 0x200, 3, 0x3);
    b.pass(100_000_000);
    expect([...b.memory.slice(0x1ff, 0x205)]).toEqual([0, 2, 3, 4, 0, 0]);
  });

  test('drops the bits of an address that the device does not have', () => {
    const b = edu({ ...SETUP, dma_mask: 0xfff });
    writeConfig(b, 4, 2, 6);
    b.memory[0x10] = 7;
    start(b, 0x12_3010, 0x4_0000, 1, 1);
    b.pass(100_000_000);
    expect(b.state.buffer[0]).toBe(7);
  });

  test('reads zeros and writes nothing while the function is no bus master', () => {
    const b = edu();
    b.memory.fill(9);
    start(b, 0, 0x4_0000, 4, 1);
    b.pass(100_000_000);
    start(b, 0x4_0000, 0, 4, 3);
    b.pass(100_000_000);
    expect([b.state.buffer[0], b.memory[0]]).toEqual([0, 9]);
  });

  test.each([
    [0x3_ffff, 4],
    [0x4_0ffd, 4],
    [0x4_0000, 4096],
    [0x4_0000, 0],
  ])('to 0x%s of %i bytes ends the run, as it ends QEMU', (to, count) => {
    const b = edu();
    start(b, 0, to, count, 1);
    b.pass(100_000_000);
    expect(b.raised.at(-1)).toMatchObject({ kind: 'sim:guest_panicked', by: expect.stringContaining('out of bounds') });
  });
});

test('a system reset leaves its registers and lowers its pin', () => {
  const b = edu();
  b.write(0x04, 0x1234, 4);
  b.write(0x60, 2, 4);
  b.reset();
  expect([b.read(0x04, 4), b.read(0x24, 4), b.pin('intx')]).toEqual([~0x1234 >>> 0, 2, false]);
});
