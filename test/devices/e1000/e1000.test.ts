import { describe, expect, test } from 'vitest';
import { driver, type E1000Setup, type E1000State } from '../../../src/devices/e1000/index.ts';
import { R } from '../../../src/devices/e1000/registers.ts';
import type { PciFunction } from '../../../src/devices/pci/index.ts';
import { LONG } from '../../how-long.ts';
import { Chance } from '../../oracle/devices/workloads.ts';
import { Bench, writeConfig } from '../recorder.ts';

const SETUP = {
  ...{ mac: '52:54:00:12:34:56', netdev: '', autonegotiation: true, mitigation: true, extra_mac_registers: true },
  ...{ migrate_tso_props: true, 'init-vet': true, romfile: '', romsize: 0xffff_ffff, rombar: 1 },
};

const BAR = 0xfe00_0000;
const MS = 1_000_000;
const EOP = 0x0100_0000;

/** A controller that may be master. */
function nic(setup: Partial<E1000Setup> = {}): Bench<E1000State> {
  const made = { ...SETUP, ...setup };
  const device = driver.create(made) as PciFunction<E1000State>;
  const bench = new Bench<E1000State>(device, driver.reducerOf!(made), driver.atReset(made));
  writeConfig(bench, 0x10, 4, BAR);
  writeConfig(bench, 4, 2, 7);
  return bench;
}

const get = (bench: Bench<E1000State>, register: number): number => bench.read(register, 4);
const put = (bench: Bench<E1000State>, register: number, value: number): void => bench.write(register, value, 4);

function descriptor(bench: Bench<E1000State>, at: number, words: readonly number[]): void {
  const view = new DataView(bench.memory.buffer);
  for (const [index, word] of words.entries()) view.setUint32(at + 4 * index, word, true);
}

/** A ring of so many bytes at an address. */
function ring(bench: Bench<E1000State>, address: number, bytes: number): void {
  put(bench, R.TDBAL, address);
  put(bench, R.TDLEN, bytes);
  put(bench, R.TCTL, 2);
}

describe('82540EM', () => {
  test('follows from facts alone, whatever is written where', () => {
    const bench = nic();
    const chance = new Chance(1);
    const offsets = Object.values(R);
    for (let step = 0; step < 1500; step++) {
      const value = chance.of([0, 1, 2, 0x80, 0xffff_ffff, chance.below(2 ** 32)]);
      // No ring that is longer than a test.
      const register = chance.of(offsets.filter((offset) => offset !== R.TDLEN && offset !== R.TDT));
      if (chance.coin) put(bench, register, value);
      else get(bench, register);
      if (chance.below(20) === 0) bench.pass(chance.below(700) * MS);
      if (chance.below(400) === 0) bench.reset();
    }
    expect(Object.keys(bench.state.registers).length).toBeGreaterThan(20);
  });

  test('keeps the wires of its EEPROM and its cable over a reset, and no timer', () => {
    const bench = nic();
    put(bench, R.EECD, 0x41);
    put(bench, R.RCTL, 2);
    put(bench, R.IMS, 4);
    put(bench, R.ICS, 4);
    bench.device.linkSet!(bench.state, false, bench.effects);
    expect([...bench.timers.keys()].sort()).toEqual(['flush_queue', 'mit']);
    expect(bench.pin('intx')).toBe(true);
    bench.reset();
    expect([...bench.timers.keys()]).toEqual([]);
    expect(bench.pin('intx')).toBe(false);
    expect(get(bench, R.EECD) & 0x77).toBe(0x41);
    expect(get(bench, R.STATUS)).toBe(0x8008_0781);
    expect(bench.raised.filter(({ kind }) => kind === 'e1000x_mac_indicate')).toHaveLength(1);
  });

  test('works off a ring of any length piece by piece, so that nobody waits for the end of it', LONG, () => {
    const bench = nic();
    ring(bench, 0, 0xf_ff80);
    get(bench, R.ICR);
    put(bench, R.TDT, 0xff00);
    expect(get(bench, R.TDH)).toBe(0x4000);
    expect(get(bench, R.ICS)).toBe(0);
    // Whoever asks again is served at once.
    put(bench, R.TDT, 0xff00);
    expect(get(bench, R.TDH)).toBe(0x8000);
    bench.pass(MS);
    expect(get(bench, R.TDH)).toBe(0xff00);
    expect(get(bench, R.ICS)).toBe(2);
    expect(bench.timers.size).toBe(0);
  });

  test('sends no more of a frame than fits, and what was kept of it when its end comes', () => {
    const bench = nic();
    ring(bench, 0, 256);
    bench.memory.set([1, 2, 3, 4, 5, 6], 1024);
    descriptor(bench, 0, [1024, 0, 4, 0]);
    descriptor(bench, 16, [1026, 0, EOP | 4, 0]);
    put(bench, R.TDT, 1);
    expect(bench.sent).toEqual([]);
    bench.memory.fill(9, 1024, 1026);
    put(bench, R.TDT, 2);
    expect(bench.sent.map(({ bytes }) => [...bytes])).toEqual([[1, 2, 3, 4, 3, 4, 5, 6]]);
    expect(bench.state.transmission.kept).toBe('');
  });

  test('does not reach its own registers by DMA', () => {
    const bench = nic();
    const reads: number[] = [];
    const { device } = bench;
    ring(bench, BAR - 16, 256);
    const { effects } = bench;
    const dmaRead = (gpa: number, length: number): Uint8Array => {
      reads.push(gpa);
      return new Uint8Array(length);
    };
    const watched = { ...effects, dmaRead };
    bench.evolve((state) => {
      state.registers[R.TDT] = 3;
      state.transmission.start = 0;
    });
    device.expire!(bench.state, 'transmit', watched, 0);
    expect(reads).toEqual([BAR - 16]);
    expect(get(bench, R.TDH)).toBe(3);
  });

  test('stops counting where a counter is full', () => {
    const bench = nic();
    ring(bench, 0, 256);
    bench.evolve((state) => {
      state.registers[R.TPT] = 0xffff_ffff;
      state.registers[R.TOTL] = 0xffff_fff0;
      state.registers[R.TOTH] = 0xffff_ffff;
    });
    descriptor(bench, 0, [1024, 0, EOP | 60, 0]);
    put(bench, R.TDT, 1);
    expect(get(bench, R.TOTL)).toBe(0xffff_ffff);
    expect(get(bench, R.TOTH)).toBe(0xffff_ffff);
    expect(get(bench, R.TPT)).toBe(0xffff_ffff);
    // A read has taken them.
    expect([R.TOTL, R.TOTH, R.TPT].map((register) => get(bench, register))).toEqual([0, 0, 0]);
  });

  test('an interrupt that is held back is because of what made it, not of the timer', () => {
    const bench = nic({ autonegotiation: false });
    const { device } = bench;
    const causes = (): readonly number[] =>
      bench.raised.flatMap(({ kind }, at) => (kind === 'sim:e1000_cause' ? [at + 1] : []));
    const mitigated = (): (boolean | number | undefined)[] => {
      bench.pass(MS);
      return [bench.pin('intx'), bench.sinces.at(-1)];
    };
    put(bench, R.IMS, 4);
    device.linkSet!(bench.state, false, bench.effects);
    expect([bench.pin('intx'), bench.sinces.at(-1)]).toEqual([true, undefined]);
    expect(get(bench, R.ICR)).toBe(4);
    // The next two wait, the first of which is why it comes.
    device.linkSet!(bench.state, true, bench.effects);
    device.linkSet!(bench.state, false, bench.effects);
    expect(bench.pin('intx')).toBe(false);
    expect(mitigated()).toEqual([true, causes()[1]]);
    // One that was taken meanwhile has made none.
    expect(get(bench, R.ICR)).toBe(4);
    device.linkSet!(bench.state, true, bench.effects);
    expect(get(bench, R.ICR)).toBe(4);
    expect(mitigated()).toEqual([false, undefined]);
  });

  test('tells a stopped person how it stands', () => {
    const bench = nic();
    put(bench, R.IMS, 0x9d);
    expect(bench.device.describe(bench.state)).toEqual({
      mac: '52:54:00:12:34:56',
      link: 'up',
      interrupts: '0x0 of 0x9d',
      receive: 'head 0 tail 0',
      transmit: 'head 0 tail 0',
    });
  });
});
