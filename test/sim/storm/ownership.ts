import type { Stamped } from '../../../src/events/stamped.ts';
import { reduce } from '../../../src/reducers/evolve.ts';
import { seal } from '../../../src/reducers/seal.ts';
import { differingSlices, digestSlices, type Slice, slicesOf } from '../../../src/reducers/slices.ts';
import { REDUCERS } from '../../../src/reducers/table/index.ts';
import type { MachineState } from '../../../src/reducers/state.ts';

/** The same parts: a slice may be put together anew each time it is read. */
function isShared(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length && keys.every((key) => Reflect.get(left, key) === Reflect.get(right, key))
  );
}

/**
 * Reduce events immutably, from the state before the first. What is found amiss, first: a digest that differs, or an
 * event that changed a slice which its row does not own. Undefined: nothing.
 */
export function amiss(atPowerOn: MachineState, events: Iterable<Stamped>): string | undefined {
  const slices = slicesOf(atPowerOn.config);
  let state = seal(undefined, atPowerOn);
  let parts = slices.map((slice) => slice.read(state));
  for (const stamped of events) {
    const { event, seq, tick } = stamped;
    const next = reduce(state, stamped);
    const now = slices.map((slice) => slice.read(next));
    const { ownerBits } = REDUCERS[event.kind];
    const isForeign = (slice: Slice, at: number): boolean =>
      (slice.ownerBits & ownerBits) === 0 && !isShared(parts[at], now[at]);
    const foreign = slices.filter(isForeign).map(({ name }) => name);
    // A person may change anything.
    if (foreign.length > 0 && event.kind !== 'sim:state_set') {
      return `Event ${seq}, ${event.kind}, changes what its row does not own, at tick ${tick}: ${foreign.join(', ')}.`;
    }
    state = next;
    parts = now;
    if (event.kind !== 'sim:digest') continue;
    const differing = differingSlices(state.config, event.slices, digestSlices(state));
    if (differing.length > 0) return `The state differs at event ${seq}, tick ${tick}, in ${differing.join(', ')}.`;
  }
  return undefined;
}
