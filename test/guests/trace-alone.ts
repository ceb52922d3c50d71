import { expect } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { configurationOf } from '../../src/runs/machine/machine-description.ts';
import { openTrace, rerun } from '../../src/api/index.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { fold } from '../../src/replay/fold.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { OriginCheck, type Origins } from '../oracle/interrupts/origins.ts';

/** Events between two digests of the state's slices, at most. */
const DIGEST_EVERY = 2000;

function* heard(events: Iterable<Stamped>, check: OriginCheck): Generator<Stamped> {
  for (const stamped of events) {
    check.next(stamped);
    yield stamped;
  }
}

/**
 * The state follows from the events by the table of reducers, slice by slice at every digest, and each interrupt from
 * what its links of cause say. Returns where the interrupts came from.
 */
export function expectFolds(file: string): Origins {
  const description = openTrace(file);
  const { events, machine } = description.describe();
  description.close();
  const trace = openTraceFile(file);
  const check = new OriginCheck();
  const folded = fold(heard(inOrder(trace), check), configurationOf(machine));
  trace.close();
  expect(folded.difference).toBeUndefined();
  expect(folded.damage).toBeUndefined();
  expect(folded.events).toBe(events);
  expect(folded.digests).toBeGreaterThanOrEqual(Math.floor(events / DIGEST_EVERY));
  const origins = check.result;
  expect(origins.unexplained).toEqual([]);
  return origins;
}

/** KVM and the devices decide the same again on the processor's recorded answers, without images. */
export async function expectReruns(file: string): Promise<void> {
  const { agreed, events, divergence } = await rerun(file);
  expect({ agreed, divergence }).toEqual({ agreed: events, divergence: undefined });
}
