import { describe, expect, it } from 'vitest';
import { bench } from '../bench.ts';
import { exitOf, type Scripted } from '../fake-guest.ts';

const rdmsr =
  (index: number): Scripted =>
  () => ({ exit: exitOf(31), a0: BigInt(index) });
const wrmsr =
  (index: number, value: bigint): Scripted =>
  () => ({ exit: exitOf(32), a0: BigInt(index), a1: value });

/** Run RDMSR and WRMSR exits; each answers its value, or 'fault'. */
function run(...script: Scripted[]): (bigint | 'fault')[] {
  const { advance, events } = bench(script);
  const steps = script.length;
  for (let step = 0; step < steps; step += 1) advance();
  return events.flatMap((e) => (e.kind === 'kvm_msr' ? [e.exception === 1 ? ('fault' as const) : e.data] : []));
}

describe('MSRs', () => {
  it.each([
    [0xfe, 0x508n],
    [0x1a0, 0x1800n],
    [0x277, 0n],
    [0xcd, 3n],
    [0x8b, 0x100000000n],
    [0x1b, 0xfee00900n],
  ])('reads %s as Linux gives it', (index, value) => {
    expect(run(rdmsr(index))).toEqual([value]);
  });

  it.each([
    [0xc0000082, 0x8000000000000000n],
    [0x175, 0x0000900000000000n],
    [0x2ff, 0x1000n],
    [0x200, 7n],
    [0x277, 0x02n],
    [0x17b, 1n],
    [0x401, 1n],
    [0xfe, 0n],
    [0x345, 0n],
    [0x38f, 0n],
    [0x4b564d03, 2n],
    [0xc0000080, 0x1000n],
  ])('refuses WRMSR(%s, %s) with #GP', (index, value) => {
    expect(run(wrmsr(index, value))).toEqual(['fault']);
  });

  it('moves TSC_ADJUST along with a write to the TSC', () => {
    const [, adjust] = run(wrmsr(0x10, 1_000_000n), rdmsr(0x3b));
    expect(adjust).not.toBe('fault');
    expect(adjust as bigint).toBeGreaterThan(900_000n);
  });

  it('writes the time of day of power-on where it is wanted, and nowhere for address 0', () => {
    const { advance, guest } = bench([wrmsr(0x4b564d00, 0n), wrmsr(0x4b564d00, 0x3000n)]);
    advance();
    expect(guest.memory.subarray(0, 12)).toEqual(new Uint8Array(12));
    advance();
    expect(new DataView(guest.memory.buffer, 0x3000, 4).getUint32(0, true)).toBe(2);
  });

  it('writes the time record of kvmclock before the next entry', () => {
    const { advance, guest, events } = bench([wrmsr(0x4b564d01, 0x3001n), () => ({ why: 'budget', exit: exitOf(0) })]);
    advance();
    advance();
    expect(events.some((e) => e.kind === 'kvm_pvclock_update')).toBe(true);
    const view = new DataView(guest.memory.buffer, 0x3000, 32);
    expect(view.getUint32(0, true)).toBe(2);
    expect(view.getUint32(24, true)).toBe(0x80000000);
    expect(view.getUint8(29)).toBe(1);
  });
});
