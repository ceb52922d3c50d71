import { describe, expect, test } from 'vitest';
import { USUAL_PACE } from '../../../src/events/costs.ts';
import { report } from '../../../src/replay/export/report.ts';
import { ExitCounts, printStatistics } from '../../../src/replay/export/statistics.ts';
import { countingMachine } from '../../machine/counting.ts';
import { sampleEvents } from '../trace/sample.ts';

describe('the report', () => {
  test('prints an event as trace-cmd report does', () => {
    const [, pio] = sampleEvents(2);
    expect([...report([pio!], USUAL_PACE)]).toEqual([
      '            vcpu1-17 [001]     0.000000: kvm_pio:              pio_write at 0x3f9 size 1 count 1 val 0x1 ',
    ]);
  });

  test('counts the time that was skipped while everybody slept', () => {
    const { machine, events } = countingMachine();
    machine.advance({ tick: 30_000 });
    const last = [...report(events, USUAL_PACE)].at(-1) as string;
    const seconds = Number(/ (\d+\.\d{6}):/.exec(last)?.[1]);
    expect(machine.state.clock.warpedNs).toBeGreaterThan(0);
    expect(Math.abs(seconds * 1e9 - machine.now())).toBeLessThan(20_000);
  });
});

function counted(vcpu?: number) {
  const counts = new ExitCounts(vcpu);
  for (const stamped of sampleEvents(8000)) counts.next(stamped);
  return counts.rows;
}

describe('statistics', () => {
  test('count exits by reason, most frequent first, and their shares add up', () => {
    const rows = counted();
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(rows.map(({ count }) => count)).toEqual([...rows.map(({ count }) => count)].sort((a, b) => b - a));
    expect(printStatistics(rows)).toMatch(
      /^ +VM-EXIT +Samples +Samples% [\s\S]*Total samples: 2000, guest ticks: \d+\.$/,
    );
  });

  test('can be asked about one vCPU', () => {
    const all = counted().reduce((sum, { count }) => sum + count, 0);
    const one = counted(1).reduce((sum, { count }) => sum + count, 0);
    expect(one).toBeLessThan(all);
    expect(one).toBeGreaterThan(0);
  });
});
