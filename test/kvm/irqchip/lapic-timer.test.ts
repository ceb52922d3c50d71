import { describe, expect, test } from 'vitest';
import { guestTsc } from '../../../src/kvm/clock/tsc.ts';
import { tscDeadlineRead, tscDeadlineWrite } from '../../../src/kvm/irqchip/index.ts';
import type { Rig } from './fixture.ts';
import { pass, pending, readApic, rig, serveAll, writeApic } from './fixture.ts';

const TIMER = 0x320;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;
const PERIODIC = 0x20000;
const DEADLINE = 0x40000;

const NEVER = Number.POSITIVE_INFINITY;

const now = (r: Rig): number => r.machine.now();
const deadline = (r: Rig): number => r.machine.nextDeadline();
const tscOf = (r: Rig): bigint => guestTsc(r.context, r.state.vcpus[0]!);
const tscDeadline = (r: Rig): bigint => tscDeadlineRead(r.chip.lapics[0]!);
const setTscDeadline = (r: Rig, value: bigint): void => tscDeadlineWrite(r.on(0), 0, value);

describe('one-shot', () => {
  test('fires once, one count a nanosecond when divided by one', () => {
    const r = rig();
    writeApic(r, 0, TIMER, 0xee);
    writeApic(r, 0, DIVIDE, 0xb);
    writeApic(r, 0, INITIAL, 0x10000);
    expect(deadline(r)).toBe(now(r) + 0x10000);
    pass(r, 0xffff);
    expect(readApic(r, 0, CURRENT)).toBe(1);
    expect(pending(r)).toBe(-1);
    pass(r, 1);
    expect(serveAll(r)).toEqual([0xee]);
    expect(deadline(r)).toBe(NEVER);
    expect(readApic(r, 0, CURRENT)).toBe(0);
  });

  test.each([
    [0x0, 2],
    [0x1, 4],
    [0x2, 8],
    [0x3, 16],
    [0x8, 32],
    [0x9, 64],
    [0xa, 128],
    [0xb, 1],
  ])('divide configuration %i divides by %i', (configuration, divisor) => {
    const r = rig();
    writeApic(r, 0, DIVIDE, configuration);
    writeApic(r, 0, INITIAL, 1000);
    expect(deadline(r)).toBe(now(r) + 1000 * divisor);
  });

  test('a new divisor stretches what is left', () => {
    const r = rig();
    writeApic(r, 0, DIVIDE, 0xb);
    writeApic(r, 0, INITIAL, 1000);
    pass(r, 400);
    writeApic(r, 0, DIVIDE, 0x1);
    expect(readApic(r, 0, CURRENT)).toBe(600);
    expect(deadline(r)).toBe(now(r) + 2400);
  });

  test('an initial count of zero stops the timer', () => {
    const r = rig();
    writeApic(r, 0, INITIAL, 1000);
    writeApic(r, 0, INITIAL, 0);
    expect(deadline(r)).toBe(NEVER);
  });

  test('an expiry behind a masked entry is delivered when it is unmasked', () => {
    const r = rig();
    writeApic(r, 0, TIMER, 0x100ee);
    writeApic(r, 0, INITIAL, 10);
    pass(r, 20);
    expect(pending(r)).toBe(-1);
    writeApic(r, 0, TIMER, 0xee);
    expect(pending(r)).toBe(0xee);
  });
});

describe('changes of mode, as kvm-unit-tests apic expects them', () => {
  test('between one-shot and periodic the count runs on; a stopped one stays stopped', () => {
    const r = rig();
    const count = 0x999999;
    writeApic(r, 0, DIVIDE, 0xb);
    writeApic(r, 0, TIMER, 0xee);
    writeApic(r, 0, INITIAL, count);
    pass(r, count - 100);
    writeApic(r, 0, TIMER, PERIODIC | 0xee);
    expect(readApic(r, 0, CURRENT)).toBe(100);
    pass(r, 200);
    expect(readApic(r, 0, CURRENT)).toBe(count - 100);
    writeApic(r, 0, TIMER, 0xee);
    expect(readApic(r, 0, CURRENT)).toBe(count - 100);
    pass(r, count);
    expect(readApic(r, 0, CURRENT)).toBe(0);
    writeApic(r, 0, TIMER, PERIODIC | 0xee);
    expect(readApic(r, 0, CURRENT)).toBe(0);
    expect(deadline(r)).toBe(NEVER);
  });

  test('TSC-deadline mode clears the initial count', () => {
    const r = rig();
    writeApic(r, 0, INITIAL, 1000);
    writeApic(r, 0, TIMER, DEADLINE | 0xee);
    expect(readApic(r, 0, INITIAL)).toBe(0);
    expect(deadline(r)).toBe(NEVER);
    writeApic(r, 0, INITIAL, 1000);
    expect(readApic(r, 0, INITIAL)).toBe(0);
  });
});

describe('periodic', () => {
  test('fires every period without drift, however late it is expired', () => {
    const r = rig();
    writeApic(r, 0, TIMER, PERIODIC | 0xee);
    writeApic(r, 0, DIVIDE, 0xb);
    const start = now(r);
    writeApic(r, 0, INITIAL, 1_000_000);
    pass(r, 1_000_300);
    expect(deadline(r)).toBe(start + 2_000_000);
    expect(serveAll(r)).toEqual([0xee]);
    pass(r, 999_700);
    expect(serveAll(r)).toEqual([0xee]);
  });

  test('a period below 200 microseconds is stretched to it', () => {
    const r = rig();
    writeApic(r, 0, TIMER, PERIODIC | 0xee);
    writeApic(r, 0, INITIAL, 10);
    expect(deadline(r)).toBe(now(r) + 200_000);
  });
});

describe('TSC-deadline', () => {
  const armed = (): Rig => {
    const r = rig();
    writeApic(r, 0, TIMER, DEADLINE | 0xef);
    return r;
  };

  test('fires when the TSC reaches the deadline, never before, and then reads zero', () => {
    const r = armed();
    const tsc = tscOf(r);
    setTscDeadline(r, tsc + 1001n);
    expect(tscDeadline(r)).toBe(tsc + 1001n);
    expect(deadline(r)).toBe(now(r) + 501);
    pass(r, 501);
    expect(serveAll(r)).toEqual([0xef]);
    expect(tscDeadline(r)).toBe(0n);
  });

  test('a deadline that is past fires at once', () => {
    const r = armed();
    setTscDeadline(r, tscOf(r));
    expect(serveAll(r)).toEqual([0xef]);
    expect(tscDeadline(r)).toBe(0n);
  });

  test('zero disarms', () => {
    const r = armed();
    setTscDeadline(r, tscOf(r) + 1000n);
    setTscDeadline(r, 0n);
    expect(deadline(r)).toBe(NEVER);
  });

  test('the farthest deadline there is does not fire early', () => {
    const r = armed();
    setTscDeadline(r, 0xffff_ffff_ffff_ffffn);
    expect(deadline(r)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('outside its mode the MSR reads zero and ignores writes', () => {
    const r = rig();
    setTscDeadline(r, 5n);
    expect(tscDeadline(r)).toBe(0n);
    expect(deadline(r)).toBe(NEVER);
  });
});
