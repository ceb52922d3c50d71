import { describe, expect, test } from 'vitest';
import { MAIN_LOOP, type Stamped, vcpuSource } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { describeDifference, differenceOfTraces } from '../../src/replay/trace-difference.ts';

type Raised = readonly [tick: number, source: number, event: MachineEvent, cause?: number];

const trace = (...raised: readonly Raised[]): Stamped[] =>
  raised.map(([tick, source, event, cause], seq) => ({ seq, tick, source, cause, within: undefined, event }));

const sent = (byte: number): MachineEvent => ({ kind: 'sim:serial_sent', line: 0, byte });
const turn = (to: number): MachineEvent => ({
  kind: 'sim:thread_switch',
  from: 0,
  to,
  quantum: 5000,
  draw: 1,
  ns: 0,
});
const [CPU0, CPU1] = [vcpuSource(0), vcpuSource(1)];

describe('the difference of two traces', () => {
  test('is none when only the order among sources differs', () => {
    const a = trace([1, CPU0, sent(1)], [1, CPU1, sent(2)], [2, CPU0, sent(3)]);
    const b = trace([1, CPU1, sent(2)], [1, CPU0, sent(1)], [2, CPU0, sent(3)]);
    expect(differenceOfTraces({ a, b })).toBeUndefined();
  });

  test('is none when only the numbers of what events happened within differ', () => {
    const a = trace([1, CPU0, sent(1)], [2, CPU0, sent(2)]);
    const b = a.map((stamped) => ({ ...stamped, within: 0, cause: 0 }));
    expect(differenceOfTraces({ a, b })).toBeUndefined();
  });

  test('is named to the field', () => {
    const a = trace([1, CPU0, sent(1)], [2, CPU0, sent(2)], [3, CPU0, sent(3)]);
    const b = trace([1, CPU0, sent(1)], [2, CPU0, sent(9)], [3, CPU0, sent(3)]);
    const found = differenceOfTraces({ a, b });
    expect(found).toMatchObject({ field: 'event.byte', source: CPU0, agreed: 1 });
    expect(describeDifference(found!)).toContain('2 in A, 9 in B');
  });

  test('is the scheduling decision, not the events of the processors it moved', () => {
    const a = trace([1, CPU0, sent(1)], [5, MAIN_LOOP, turn(1)], [6, CPU1, sent(2)], [9, CPU0, sent(3)]);
    const b = trace([1, CPU0, sent(1)], [7, MAIN_LOOP, turn(1)], [8, CPU1, sent(2)], [9, CPU0, sent(3)]);
    const found = differenceOfTraces({ a, b });
    expect(found).toMatchObject({ source: MAIN_LOOP, field: 'tick' });
    expect(found?.a?.event.kind).toBe('sim:thread_switch');
  });

  test('tells events one side has more from events that changed', () => {
    const a = trace([1, CPU0, sent(1)], [3, CPU0, sent(3)], [4, CPU0, sent(4)]);
    const b = trace([1, CPU0, sent(1)], [2, CPU0, sent(2)], [3, CPU0, sent(3)], [4, CPU0, sent(4)]);
    expect(differenceOfTraces({ a, b })).toMatchObject({ field: 'only in B', extra: [{ event: sent(2) }] });
    expect(differenceOfTraces({ a: b, b: a })).toMatchObject({ field: 'only in A' });
  });

  test('is the missing end when one run stopped earlier', () => {
    const a = trace([1, CPU0, sent(1)], [2, CPU0, sent(2)]);
    const found = differenceOfTraces({ a, b: a.slice(0, 1) });
    expect(found).toMatchObject({ field: 'only in A', extra: [{ event: sent(2) }] });
  });

  test('comes with what led to it', () => {
    const a = trace([1, CPU0, sent(1)], [2, CPU0, sent(2), 0], [3, CPU0, sent(3), 1]);
    const b = trace([1, CPU0, sent(1)], [2, CPU0, sent(2), 0], [3, CPU0, sent(4), 1]);
    expect(differenceOfTraces({ a, b })?.causesOfA.map(({ seq }) => seq)).toEqual([1, 0]);
  });
});
