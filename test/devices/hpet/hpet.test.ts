import { describe, expect, it } from 'vitest';
import { HPET_REDUCER, hpet, hpetAtReset } from '../../../src/devices/hpet/index.ts';
import { Bench } from '../recorder.ts';

const [ID, PERIOD, CFG, STATUS, COUNTER] = [0x00, 0x04, 0x10, 0x20, 0xf0];
const timer = (n: number) => ({ cfg: 0x100 + 0x20 * n, cmp: 0x108 + 0x20 * n });
const T0 = timer(0);
const T2 = timer(2);

function bench() {
  const b = new Bench(hpet, HPET_REDUCER, hpetAtReset());
  return Object.assign(b, {
    get: (at: number) => b.read(at, 4),
    put: (at: number, value: number) => b.write(at, value, 4),
    /** Rising edges of a pin while time passes. */
    count: (pin: string, nanoseconds: number) => {
      b.drives.length = 0;
      b.pass(nanoseconds);
      return b.drives.filter(([name, high]) => name === pin && high).length;
    },
  });
}

describe('capabilities', () => {
  it('are those of QEMU: three 64-bit timers, 100 MHz, legacy replacement, IOAPIC input 2', () => {
    const b = bench();
    expect([b.get(ID), b.get(PERIOD)]).toEqual([0x8086a201, 10_000_000]);
    expect([b.get(T0.cfg), b.get(T0.cfg + 4), b.get(T0.cmp), b.get(T0.cmp + 4)]).toEqual([
      0x30, 4, 0xffffffff, 0xffffffff,
    ]);
  });
});

describe('main counter', () => {
  it('stands until enabled, then counts every 10 ns', () => {
    const b = bench();
    b.pass(1000);
    expect(b.get(COUNTER)).toBe(0);
    b.put(CFG, 1);
    b.pass(1005);
    expect(b.get(COUNTER)).toBe(100);
    b.put(CFG, 0);
    b.pass(5000);
    expect(b.get(COUNTER)).toBe(100);
  });

  it('carries into its high half', () => {
    const b = bench();
    b.put(COUNTER, 0xffffffff);
    b.put(COUNTER + 4, 6);
    b.put(CFG, 1);
    b.pass(10);
    expect([b.get(COUNTER), b.get(COUNTER + 4)]).toEqual([0, 7]);
  });

  it('cannot be written while it runs', () => {
    const b = bench();
    b.put(CFG, 1);
    b.put(COUNTER, 1234);
    expect(b.get(COUNTER)).toBe(0);
  });
});

describe('timers', () => {
  it('fire a one-shot once, on the line they are routed to', () => {
    const b = bench();
    b.put(T2.cfg, 0x104 | (2 << 9));
    b.put(CFG, 1);
    b.put(T2.cmp, 100);
    expect(b.count('gsi2', 999)).toBe(0);
    expect(b.count('gsi2', 1)).toBe(1);
    expect(b.count('gsi2', 1_000_000)).toBe(0);
  });

  it('run periodically as Linux programs timer 0: SETVAL, comparator, period', () => {
    const b = bench();
    b.put(CFG, 3);
    b.put(T0.cfg, 0x14c);
    b.put(T0.cmp, 100_000);
    b.put(T0.cmp, 100_000);
    expect(b.count('gsi0', 100_000_000)).toBe(100);
    expect(b.get(T0.cmp)).toBe(10_100_000);
  });

  it('hold a level-triggered line until its status bit is written', () => {
    const b = bench();
    b.put(T2.cfg, 0x106 | (2 << 9));
    b.put(CFG, 1);
    b.put(T2.cmp, 10);
    b.pass(100);
    expect([b.pin('gsi2'), b.get(STATUS)]).toEqual([true, 4]);
    b.put(STATUS, 4);
    expect([b.pin('gsi2'), b.get(STATUS)]).toEqual([false, 0]);
  });

  it('interrupt at the wrap of the counter too when they are 32-bit one-shots', () => {
    const b = bench();
    b.put(T2.cfg, 0x104 | (2 << 9));
    b.put(COUNTER, 0xffffff00);
    b.put(CFG, 1);
    b.put(T2.cmp, 0x10);
    expect([...b.timers]).toEqual([['wrap2', 0xff * 10]]);
    expect(b.count('gsi2', 0xff * 10)).toBe(1);
    expect([...b.timers]).toEqual([['timer2', 0x110 * 10]]);
    expect(b.count('gsi2', 0x11 * 10)).toBe(1);
    expect(b.timers.size).toBe(0);
  });

  it('make up for periods that were missed, and keep the grid', () => {
    const b = bench();
    b.put(CFG, 1);
    b.put(T0.cfg, 0x14c);
    b.put(T0.cmp, 100);
    b.put(T0.cmp, 100);
    b.now = 3500;
    expect(b.count('gsi0', 0)).toBe(1);
    expect([b.get(T0.cmp), [...b.timers]]).toEqual([400, [['timer0', 4000]]]);
  });

  it('stop with the block', () => {
    const b = bench();
    b.put(T2.cfg, 0x104);
    b.put(CFG, 1);
    b.put(T2.cmp, 1000);
    b.put(CFG, 0);
    expect(b.timers.size).toBe(0);
  });
});

describe('legacy replacement', () => {
  it('takes the lines of PIT and RTC and gives them back', () => {
    const b = bench();
    const rtc = (high: boolean) => b.drive('rtc', high);
    rtc(true);
    expect(b.pin('gsi8')).toBe(true);
    b.put(CFG, 3);
    expect([b.pin('gsi8'), b.pin('pit_enable')]).toEqual([false, false]);
    rtc(false);
    rtc(true);
    expect(b.pin('gsi8')).toBe(false);
    b.put(CFG, 1);
    expect([b.pin('gsi8'), b.pin('pit_enable')]).toEqual([true, true]);
  });
});

describe('reset', () => {
  it('stops everything, lowers the lines and gives the PIT its own back', () => {
    const b = bench();
    b.put(CFG, 3);
    b.put(T2.cfg, 0x106 | (2 << 9));
    b.put(T2.cmp, 10);
    b.pass(100);
    b.reset();
    expect([b.pin('gsi2'), b.pin('pit_enable'), b.get(CFG), b.get(STATUS), b.get(COUNTER)]).toEqual([
      false,
      true,
      0,
      0,
      0,
    ]);
    expect(b.timers.size).toBe(0);
  });
});
