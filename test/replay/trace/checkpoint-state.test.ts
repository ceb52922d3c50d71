import { describe, expect, test } from 'vitest';
import type { Timers } from '../../../src/events/timers.ts';
import type { MachineState } from '../../../src/reducers/state.ts';
import { isStateOf } from '../../../src/replay/trace/checkpoint-state.ts';
import { bareState } from './sample.ts';

const PLACE = { offset: 0, seq: 8, tick: 3 };

/** A state at that place, with these timers of the kernel armed. */
const withTimers = (timers: unknown): MachineState => {
  const { kvm, ...state } = bareState(3);
  return { ...state, at: { seq: 7, tick: 3 }, kvm: { ...kvm, timers: timers as Timers } };
};

const FIRST = withTimers({ 'kvm-pit': { deadline: 5, armed: 2 } });

describe('a stored state', () => {
  test.each([
    ['the same timers', { 'kvm-pit': { deadline: 9, armed: 6 } }],
    ['none any more', {}],
    ['others', { 'kvm-lapic0': { deadline: 9, armed: 6 } }],
  ])('with %s is one of the machine', (_, timers) => {
    expect(isStateOf(withTimers(timers), FIRST, PLACE)).toBe(true);
  });

  test.each([
    ['no timers', undefined],
    ['a list of timers', [{ deadline: 9, armed: 6 }]],
    ['a timer without a deadline', { 'kvm-pit': { armed: 6 } }],
    ['a timer at no time', { 'kvm-pit': { deadline: Number.NaN, armed: 6 } }],
    ['a timer that is none', { 'kvm-pit': 5 }],
  ])('with %s is none of it', (_, timers) => {
    expect(isStateOf(withTimers(timers), FIRST, PLACE)).toBe(false);
  });
});
