import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { recordGuest, type RecordedGuest } from '../../src/testing/vitest.ts';
import { eventsOf } from '../../src/testing/recorded-guest.ts';
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
    expect(guest).toReach('kvm_pio if port == 0x3f8 && rw == 1');
    expect(guest).toNeverRaise('if exit_reason == TRIPLE_FAULT || exception == #DF');
    expect(guest).toPrint(/tour of the \w+, from the inside\.$/);
    expect(guest).not.toPrint('tour', { device: 'serial1' });
  });

  test('say what is wrong when it does not', () => {
    expect(complaint(() => expect(guest).toReach('kvm_exit TRIPLE_FAULT'))).toContain('No event of');
    expect(complaint(() => expect(guest).toNeverRaise('kvm_exit CPUID'))).toContain('reason CPUID');
    expect(complaint(() => expect(guest).toPrint('kernel panic'))).toContain('does not print "kernel panic"');
    expect(complaint(() => expect(guest).toReach('kvm_exti'))).toContain(
      'No kind of event is named kvm_exti: did you mean ',
    );
    expect(complaint(() => expect(guest).not.toReplayExactly())).toContain('replays exactly');
  });

  test('say where it happens, and how to stand there', () => {
    const opens = (text: string): string => {
      const [, trace, tick] = /opens there: npx retrovisor debug (\S+) --at (\d+)$/.exec(text) ?? [];
      expect(trace).toBe(guest.trace);
      return tick as string;
    };
    const events = eventsOf(guest.trace).events;
    const printed = events.filter(({ event }) => event.kind === 'sim:serial_sent' && event.line === 0);
    const last = printed[guest.console.indexOf('inside') + 5]!;
    const said = complaint(() => expect(guest).not.toPrint('inside'));
    expect(said).toContain(`prints "inside" on serial0 at tick ${last.tick} (event #${last.seq}).`);
    expect(opens(said)).toBe(String(last.tick));
    const cpuid = events.find(({ event }) => event.kind === 'kvm_exit' && event.exit_reason === 10)!;
    expect(opens(complaint(() => expect(guest).toNeverRaise('kvm_exit CPUID')))).toBe(String(cpuid.tick));
    const end = String(events[events.length - 1]!.tick);
    expect(opens(complaint(() => expect(guest).toPrint('kernel panic')))).toBe(end);
    expect(opens(complaint(() => expect(guest).toReach('kvm_exit TRIPLE_FAULT')))).toBe(end);
  });

  test('refuse a condition that cannot be read by its column', () => {
    expect(complaint(() => expect(guest).toReach('kvm_exit if exit_reson == HLT'))).toContain(
      'No field is named exit_reson: did you mean exit_reason? (column 1)',
    );
  });

  test('take no damaged trace for a good one', () => {
    const cut = join(folder, 'cut.trace');
    writeFileSync(cut, readFileSync(guest.trace).subarray(0, -5000));
    expect(complaint(() => expect(cut).toReplayExactly())).toContain('cut off');
    expect(complaint(() => expect(cut).toNeverRaise('kvm_exit TRIPLE_FAULT'))).toContain('cut off');
  });
});
