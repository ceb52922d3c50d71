import { describe, expect, test } from 'vitest';
import type { PciFunction } from '../../../src/devices/pci/index.ts';
import { driver, type Rtl8139State } from '../../../src/devices/rtl8139/index.ts';
import { R, WINDOW_BYTES } from '../../../src/devices/rtl8139/registers.ts';
import { LONG } from '../../how-long.ts';
import { Chance } from '../../oracle/devices/workloads.ts';
import { Bench, writeConfig } from '../recorder.ts';

const SETUP = { mac: '52:54:00:12:34:56', netdev: '', romfile: '', romsize: 0xffff_ffff, rombar: 1 };

const BAR = 0xfe00_0000;
const [OWN, FIRST, LAST, LARGE] = [0x8000_0000, 0x2000_0000, 0x1000_0000, 0x0800_0000];

/** A controller that may be master. */
function nic(memory = 4096): Bench<Rtl8139State> {
  const device = driver.create(SETUP) as PciFunction<Rtl8139State>;
  const bench = new Bench<Rtl8139State>(device, driver.reducerOf!(SETUP), driver.atReset(SETUP), memory);
  place(bench);
  return bench;
}

function place(bench: Bench<Rtl8139State>): void {
  writeConfig(bench, 0x14, 4, BAR);
  writeConfig(bench, 4, 2, 7);
}

function descriptor(bench: Bench<Rtl8139State>, at: number, words: readonly number[]): void {
  const view = new DataView(bench.memory.buffer);
  for (const [index, word] of words.entries()) view.setUint32(at + 4 * index, word, true);
}

/** What brings it to work again. */
const WORKING = [
  [R.CR, 1, 0x0c],
  [R.HLTCLK, 1, 0x52],
  [R.RCR, 4, 0x0f],
  [R.RBSTART, 4, 0x8000],
  [R.TSAD, 4, 0x100],
  [R.TSAD + 4, 4, 0],
  [R.RDSAR, 4, 0x180],
  [R.RDSAR + 4, 4, 0],
] as const;

/** A ring of descriptors that are sent. */
function ring(bench: Bench<Rtl8139State>, address: number): void {
  bench.write(R.CPCR, 3, 2);
  bench.write(R.TSAD, address, 4);
  bench.write(R.CR, 0x0c, 1);
}

const poll = (bench: Bench<Rtl8139State>): void => bench.write(R.TPPOLL, 0x40, 1);

/** A frame of TCP with so much behind its headers. */
function tcp(payload: number): Uint8Array {
  const bytes = new Uint8Array(54 + payload);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, 40 + payload);
  view.setUint8(23, 6);
  view.setUint8(46, 0x50);
  return bytes;
}

describe('RTL8139', () => {
  test('follows from facts alone, whatever is written where, and what comes', () => {
    const bench = nic(1 << 16);
    const chance = new Chance(1);
    bench.memory.set(Uint8Array.from({ length: 512 }, () => chance.below(256)));
    const offsets = Object.values(R);
    for (let step = 0; step < 2500; step++) {
      const size = chance.of([1, 2, 4] as const);
      const offset = chance.of(offsets);
      const value = chance.of([0, 0x0c, 0x40, 0x80, 0xc0, chance.below(0x1_0000), chance.below(2 ** 32)]);
      if (chance.below(3) === 0) bench.read(offset - (offset % size), size, chance.below(2));
      else bench.write(offset - (offset % size), value % 2 ** (8 * size), size, chance.below(2));
      const bytes = new Uint8Array(chance.of([14, 60, 1500])).fill(chance.of([0xff, chance.below(256)]));
      if (chance.below(3) === 0) bench.packet({ number: step, bytes });
      if (chance.below(30) === 0) bench.pass(chance.below(2 ** 40));
      if (chance.below(50) === 0) bench.cable(chance.coin);
      if (chance.below(20) === 0) for (const [at, wide, word] of WORKING) bench.write(at, word, wide);
      if (chance.below(400) === 0) bench.reset();
      place(bench);
    }
    expect(bench.sent.length).toBeGreaterThan(3);
    expect(new Set(bench.raised.map(({ kind }) => kind)).size).toBeGreaterThan(6);
  });

  test('cuts a packet into as many frames as a driver wants, and rests behind many', LONG, () => {
    const bench = nic(1 << 17);
    ring(bench, 0);
    bench.memory.set(tcp(60_000), 4096);
    const words = [OWN | FIRST | LAST | LARGE | (1 << 16) | 60_054, 0, 4096, 0];
    descriptor(bench, 0, words);
    descriptor(bench, 16, words);
    poll(bench);
    expect(bench.sent).toHaveLength(60_000);
    expect(bench.state).toMatchObject({ txDescriptor: 1, transmission: { left: 63 } });
    bench.pass(1000);
    expect(bench.sent).toHaveLength(120_000);
    expect(bench.state.txDescriptor).toBe(2);
    bench.pass(1_000_000);
    expect(bench.timers.size).toBe(0);
    expect(new Set(bench.sent.map(({ bytes }) => bytes.length))).toEqual(new Set([55]));
  });

  test('keeps what there is of a packet until its end comes', () => {
    const bench = nic();
    ring(bench, 0);
    bench.memory.set([1, 2, 3, 4, 5, 6], 1024);
    descriptor(bench, 0, [OWN | FIRST | 4, 0, 1024, 0]);
    poll(bench);
    expect(bench.sent).toEqual([]);
    bench.memory.fill(9, 1024, 1026);
    descriptor(bench, 16, [OWN | LAST | 4, 0, 1026, 0]);
    poll(bench);
    expect(bench.sent.map(({ bytes }) => [...bytes])).toEqual([[1, 2, 3, 4, 3, 4, 5, 6]]);
    expect(bench.state.transmission).toEqual({ size: 0, kept: '', left: 0 });
  });

  test('does not reach its own registers by DMA', () => {
    const bench = nic();
    ring(bench, BAR - 8);
    const reads: number[] = [];
    const { effects, device } = bench;
    const dmaTold = (): void => undefined;
    const dmaRead = (gpa: number, length: number): Uint8Array => {
      reads.push(gpa, length);
      return new Uint8Array(length).fill(0xff);
    };
    device.expire!(bench.state, 'transmit', { ...effects, dmaRead, dmaTold }, 0);
    expect(reads).toEqual([]);
    bench.evolve((state) => void (state.transmission.left = 1));
    device.expire!(bench.state, 'transmit', { ...effects, dmaRead, dmaTold }, 0);
    expect(reads.slice(0, 2)).toEqual([BAR - 8, 8]);
  });

  test('counts time in one register as long as its period, and forgets it with a reset', () => {
    const bench = nic();
    const round = 2 ** 32 * 30;
    bench.pass(3 * round + 3000);
    expect(bench.read(R.TCTR, 4)).toBe(100);
    bench.write(R.TIMERINT, 90, 4);
    expect(bench.timers.get('timer')).toBe(4 * round + 2700);
    bench.write(R.TCTR, 0, 4);
    expect(bench.timers.get('timer')).toBe(3 * round + 3000 + 2700);
    bench.write(R.CR, 0x10, 1);
    expect(bench.timers.size).toBe(0);
  });

  test('tells a stopped person how it stands', () => {
    const bench = nic();
    bench.write(R.IMR, 0xffff, 2);
    expect(bench.device.regions.map(({ length }) => length)).toEqual([WINDOW_BYTES, WINDOW_BYTES]);
    expect(bench.device.describe(bench.state)).toEqual({
      mac: '52:54:00:12:34:56',
      link: 'up',
      interrupts: '0x0 of 0xe1ff',
      receive: 'ring 0 to 0 of 8192, descriptor 0',
      transmit: 'slot 0, descriptor 0',
    });
  });
});
