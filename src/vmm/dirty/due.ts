import type { Ns } from '../../base/units.ts';
import type { DirtyState } from './state.ts';

/** Virtual nanosecond at which a measurement is over; Infinity: there is none. */
export const measuredAt = (dirty: DirtyState | undefined): Ns =>
  dirty?.status === 'measuring' ? dirty.due : Number.POSITIVE_INFINITY;
