import { describe, expect, it } from 'vitest';
import { dateOf, secondsOf } from '../../../src/devices/mc146818/calendar.ts';
import { MC146818_REDUCER, mc146818, rtcAtReset } from '../../../src/devices/mc146818/index.ts';
import { Bench } from '../recorder.ts';

const MB = 2 ** 20;
const SECOND = 1e9;
/** 2024-02-29 23:59:50 UTC. */
const LEAP_EVE = 1709251190;

function bench(wallClockSeconds = LEAP_EVE) {
  const b = new Bench(mc146818, MC146818_REDUCER, rtcAtReset({ ramBelow4G: 64 * MB, ramAbove4G: 0, cpus: 1 }));
  b.powerOn(BigInt(wallClockSeconds) * 1_000_000_000n);
  return Object.assign(b, {
    get: (index: number) => {
      b.write(0, index);
      return b.read(1);
    },
    set: (index: number, value: number) => {
      b.write(0, index);
      b.write(1, value);
    },
  });
}

const clock = (b: ReturnType<typeof bench>) =>
  [0x32, 9, 8, 7, 4, 2, 0].map((i) => b.get(i).toString(16).padStart(2, '0')).join(' ');

describe('ports', () => {
  it('take index and data in turn when an access is wider than both', () => {
    const b = bench();
    [0x40, 0x11, 0x41, 0x22].forEach((value, offset) => void b.write(offset, value));
    expect([b.get(0x40), b.get(0x41)]).toEqual([0x11, 0x22]);
  });
});

describe('calendar', () => {
  it('agrees with the built-in calendar on every 13th day of six centuries, both ways', () => {
    for (let seconds = -86400 * 365 * 100; seconds < 86400 * 365 * 500; seconds += 86400 * 13 + 12345) {
      const date = new Date(seconds * 1000);
      const ours = dateOf(seconds);
      expect([ours.year, ours.month, ours.day, ours.hour, ours.minute, ours.second, ours.dayOfWeek]).toEqual([
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
        date.getUTCDay(),
      ]);
      expect(secondsOf(ours)).toBe(seconds);
    }
  });
});

describe('CMOS of QEMU 7.2 -M pc -m 64', () => {
  it('reads byte for byte as QEMU fills it', () => {
    const b = bench();
    const golden: Record<number, number> = {
      6: 0x05,
      7: 0x29,
      8: 0x02,
      9: 0x24,
      10: 0x26,
      11: 0x02,
      13: 0x80,
      20: 0x06,
      21: 0x80,
      22: 0x02,
      24: 0xfc,
      49: 0xfc,
      50: 0x20,
      53: 0x03,
      55: 0x20,
      56: 0x30,
      61: 0x12,
      0: 0x50,
      2: 0x59,
      4: 0x23,
    };
    for (let i = 0; i < 128; i++) expect([i, b.get(i)]).toEqual([i, golden[i] ?? 0]);
  });

  it('tells of memory above 4 GB and of the number of processors', () => {
    const state = rtcAtReset({ ramBelow4G: 3072 * MB, ramAbove4G: 5120 * MB, cpus: 4 });
    expect([0x17, 0x18, 0x34, 0x35, 0x5b, 0x5c, 0x5d, 0x5f].map((i) => state.cmos[i])).toEqual([
      0xff, 0xff, 0x00, 0xbf, 0x00, 0x40, 0x01, 3,
    ]);
  });

  it('answers all ones at the index port', () => {
    expect(bench().read(0)).toBe(0xff);
  });
});

describe('time', () => {
  it('rolls over a leap day', () => {
    const b = bench();
    expect(clock(b)).toBe('20 24 02 29 23 59 50');
    b.pass(10 * SECOND);
    expect(clock(b)).toBe('20 24 03 01 00 00 00');
  });

  it('can be set, and counts on in binary 12-hour format', () => {
    const b = bench();
    b.set(0x0b, 0x82 | 0x04);
    for (const [i, v] of [
      [0x32, 20],
      [9, 30],
      [8, 12],
      [7, 31],
      [4, 23],
      [2, 59],
      [0, 58],
    ] as const)
      b.set(i, v);
    b.set(0x0b, 0x06);
    b.pass(SECOND);
    expect([0x32, 9, 8, 7, 4, 2, 0].map((i) => b.get(i))).toEqual([20, 30, 12, 31, 23, 59, 59]);
    b.set(0x0b, 0x04);
    expect(b.get(4)).toBe(0x80 | 11);
    b.pass(SECOND);
    expect([0x32, 9, 8, 7, 4, 2, 0].map((i) => b.get(i))).toEqual([20, 31, 1, 1, 12, 0, 0]);
  });

  it('stands still while SET is on', () => {
    const b = bench();
    b.set(0x0b, 0x82);
    b.pass(30 * SECOND);
    expect(clock(b)).toBe('20 24 02 29 23 59 50');
  });

  it('shows UIP for the last 244 us of a second, so that polling it finds the edge', () => {
    const b = bench();
    expect(b.get(0x0a)).toBe(0x26);
    b.pass(SECOND - 244_000);
    expect(b.get(0x0a)).toBe(0xa6);
    b.pass(244_000);
    expect(b.get(0x0a)).toBe(0x26);
    expect(b.get(0)).toBe(0x51);
  });
});

describe('facts', () => {
  const raised = (b: ReturnType<typeof bench>) => {
    const kinds = b.raised.map(({ kind }) => kind);
    b.raised.length = 0;
    return kinds;
  };

  it('are there only for what changes', () => {
    const b = bench();
    expect([clock(b), raised(b)]).toEqual(['20 24 02 29 23 59 50', ['sim:powered_on']]);
    b.pass(2 * SECOND);
    raised(b);
    expect([clock(b), raised(b)]).toEqual(['20 24 02 29 23 59 52', ['sim:rtc_time']]);
    expect([clock(b), raised(b)]).toEqual(['20 24 02 29 23 59 52', []]);
  });

  it('tell the time in the format the clock had when SET froze it', () => {
    const b = bench();
    b.pass(2 * SECOND);
    raised(b);
    b.set(0x0b, 0x86);
    expect(b.raised.find(({ kind }) => kind === 'sim:rtc_time')).toEqual({
      kind: 'sim:rtc_time',
      seconds: LEAP_EVE + 2,
      mode: 0x02,
    });
    expect(b.get(0)).toBe(0x52);
  });

  it('latch UIP once for each update', () => {
    const b = bench();
    b.pass(SECOND - 100_000);
    raised(b);
    expect([b.get(0x0a), b.get(0x0a), raised(b)]).toEqual([0xa6, 0xa6, ['sim:rtc_uip']]);
  });
});

describe('interrupts', () => {
  it('ticks 1024 times a second at rate 6, and register C lowers the line', () => {
    const b = bench();
    b.set(0x0b, 0x42);
    let ticks = 0;
    for (let i = 0; i < 2048; i++) {
      b.pass(SECOND / 1024);
      if (b.pin() && (b.get(0x0c) & 0xc0) === 0xc0) ticks++;
      expect(b.pin()).toBe(false);
    }
    expect(ticks).toBeGreaterThanOrEqual(2046);
    expect(ticks).toBeLessThanOrEqual(2048);
  });

  it('raises the update-ended interrupt every second once acknowledged', () => {
    const b = bench();
    b.set(0x0b, 0x12);
    for (let i = 0; i < 3; i++) {
      b.pass(SECOND);
      expect(b.pin()).toBe(true);
      expect(b.get(0x0c)).toBe(0x90);
      expect(b.pin()).toBe(false);
    }
  });

  it('meets its alarm at the second asked for and not before', () => {
    const b = bench();
    b.set(0x01, 0x05);
    b.set(0x03, 0x00);
    b.set(0x05, 0x00);
    b.set(0x0b, 0x22);
    b.pass(15 * SECOND - 1);
    expect(b.pin()).toBe(false);
    b.pass(1);
    expect(b.get(0x0c) & 0xa0).toBe(0xa0);
  });

  it('wakes a sleeping machine at its alarm, if the alarm interrupts', () => {
    const b = bench();
    const asked = () => b.raised.filter(({ kind }) => kind === 'sim:wakeup_asked');
    for (const register of [0x01, 0x03, 0x05]) b.set(register, 0xff);
    b.pass(2 * SECOND);
    expect(asked()).toEqual([]);
    b.get(0x0c);
    b.set(0x0b, 0x22);
    b.pass(SECOND);
    expect(asked()).toEqual([{ kind: 'sim:wakeup_asked', by: 'rtc' }]);
    b.raise({ kind: 'sim:suspended' });
    expect(b.get(0x0f)).toBe(0xfe);
  });

  it('treats alarm bytes from 0xc0 up as any', () => {
    const b = bench();
    b.set(0x01, 0x30);
    b.set(0x03, 0xff);
    b.set(0x05, 0xff);
    b.set(0x0b, 0x22);
    b.pass(40 * SECOND);
    expect(b.pin()).toBe(true);
    b.get(0x0c);
    b.pass(59 * SECOND);
    expect(b.pin()).toBe(false);
    b.pass(SECOND);
    expect(b.pin()).toBe(true);
  });

  it('arms no timer that nobody can notice', () => {
    const b = bench();
    b.pass(2 * SECOND);
    expect([...b.timers]).toEqual([['update', 10 * SECOND]]);
    b.pass(100 * SECOND);
    expect(b.timers.size).toBe(0);
  });

  it('forgets enabled interrupts but neither time nor RAM at reset', () => {
    const b = bench();
    b.set(0x0b, 0x62);
    b.set(0x40, 0x99);
    b.set(0x0f, 0x05);
    b.pass(SECOND);
    b.reset();
    expect([b.get(0x0b), b.get(0x40), b.get(0x0f), b.get(0x0c), b.get(0)]).toEqual([0x02, 0x99, 0, 0, 0x51]);
    expect(b.pin()).toBe(false);
  });
});
