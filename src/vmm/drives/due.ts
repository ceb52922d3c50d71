import type { Ns } from '../../base/units.ts';
import type { RequestInFlight, VmmState } from '../state.ts';

/** A request with the drive it is for. */
export interface DueRequest extends RequestInFlight {
  readonly drive: string;
}

/** The request that completes next of all drives': the one due first, and of several the one submitted first. */
export function nextToComplete(drives: VmmState['drives']): DueRequest | undefined {
  let next: DueRequest | undefined;
  for (const drive in drives) {
    const first = drives[drive]!.inFlight[0];
    if (first !== undefined && (next === undefined || isBefore(first, next))) next = { ...first, drive };
  }
  return next;
}

const isBefore = (one: RequestInFlight, other: RequestInFlight): boolean =>
  one.due < other.due || (one.due === other.due && one.submitted < other.submitted);

/** Virtual nanosecond at which a drive completes a request next; Infinity: none is in flight. */
export function earliestCompletion(drives: VmmState['drives']): Ns {
  let earliest = Number.POSITIVE_INFINITY;
  for (const drive in drives) earliest = Math.min(earliest, drives[drive]!.inFlight[0]?.due ?? earliest);
  return earliest;
}
