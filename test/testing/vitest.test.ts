import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { recordGuest, type RecordedGuest } from '../../src/testing/vitest.ts';
import { traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
let guest: RecordedGuest;

beforeAll(() => {
  guest = recordGuest(join(folder, 'guest.trace'), ['-m', '4', '--ticks', '40000', '--wall-clock', '1700000000']);
});

const complaint = (check: () => void): string => {
  try {
    check();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the matchers', () => {
  test('hold for a guest that does what is said', () => {
    expect(guest).toReplayExactly();
    expect(guest).toReach('kvm_exit CPUID');
    expect(guest).toNeverRaise('kvm_exit TRIPLE_FAULT');
    expect(guest).toPrint(guest.console.slice(0, 20));
    expect(guest.trace).toReach('sim:powered_on');
    expect(guest.console.length).toBeGreaterThan(20);
  });

  test('say what is wrong when it does not', () => {
    expect(complaint(() => expect(guest).toReach('kvm_exit TRIPLE_FAULT'))).toContain('No event of');
    expect(complaint(() => expect(guest).toNeverRaise('kvm_exit CPUID'))).toContain('reason CPUID');
    expect(complaint(() => expect(guest).toPrint('kernel panic'))).toContain('does not print "kernel panic"');
    expect(complaint(() => expect(guest).toReach('kvm_exti'))).toContain('kvm_exti is neither');
    expect(complaint(() => expect(guest).not.toReplayExactly())).toContain('replays exactly');
  });

  test('take no damaged trace for a good one', () => {
    const cut = join(folder, 'cut.trace');
    writeFileSync(cut, readFileSync(guest.trace).subarray(0, -5000));
    expect(complaint(() => expect(cut).toReplayExactly())).toContain('cut off');
    expect(complaint(() => expect(cut).toNeverRaise('kvm_exit TRIPLE_FAULT'))).toContain('cut off');
  });
});
