import type { Ns, Seq } from '../base/units.ts';
import type { Origin } from './origin.ts';

/** A timer that is armed. */
export interface Timer {
  /** Virtual nanosecond since power-on. */
  readonly deadline: Ns;
  /** Sequence number of the fact that armed it. */
  readonly armed: Seq;
}

/** Armed timers by id. */
export type Timers = Readonly<Record<string, Timer>>;

/** Arm a timer, or arm it anew. */
export const armTimer = (origin: Origin, id: string, deadline: Ns): Seq =>
  origin.raise({ kind: 'sim:timer_arm', id, deadline });

/** Stop a timer; one that is not armed stays so. */
export function cancelTimer(timers: Timers, origin: Origin, id: string): void {
  const timer = timers[id];
  if (timer !== undefined) origin.raise({ kind: 'sim:timer_cancel', id, deadline: timer.deadline });
}

/** A timer's time has come: what follows does so because of the fact this returns. */
export function fireTimer(timers: Timers, origin: Origin, id: string): Origin {
  const { deadline, armed } = timers[id] as Timer;
  return origin.after(origin.after(armed).raise({ kind: 'sim:timer_fire', id, deadline }));
}

/** Whether a timer's time has come. */
export const isDue = (timers: Timers, id: string, now: Ns): boolean => (timers[id]?.deadline ?? Infinity) <= now;

/** The earliest deadline; Infinity when no timer is armed. */
export function earliestDeadline(timers: Timers): Ns {
  let earliest = Number.POSITIVE_INFINITY;
  for (const id in timers) {
    const { deadline } = timers[id] as Timer;
    if (deadline < earliest) earliest = deadline;
  }
  return earliest;
}
