import { describe, expect, test } from 'vitest';
import { USUAL_PACE } from '../../../src/events/costs.ts';
import { report } from '../../../src/replay/export/report.ts';
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
