/** What several machines did, in the order of their one virtual time. */
import { byTime } from '../../base/by-time.ts';
import type { Ns } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import { eventClock } from '../../replay/export/report.ts';

/** An event and when it happened. */
interface Timed {
  readonly stamped: Stamped;
  /** Virtual nanoseconds since power-on. */
  readonly ns: Ns;
}

/** An event of one of several machines, which is named by its place in their list. */
export interface TimedOf extends Timed {
  readonly machine: number;
}

/** A machine's events, from its first, and what turns them into virtual time. */
export interface Paced {
  readonly events: Iterable<Stamped>;
  readonly pace: Pace;
}

/** Every event of several machines by the clock of all; those of one moment in the order of the machines. */
export function* byClock(runs: readonly Paced[]): Generator<TimedOf, void> {
  for (const [machine, event] of byTime(runs.map(timed))) yield { ...event, machine };
}

function* timed({ events, pace }: Paced): Generator<Timed, void> {
  const clock = eventClock(pace);
  for (const stamped of events) yield { stamped, ns: clock.ns(stamped) };
}
