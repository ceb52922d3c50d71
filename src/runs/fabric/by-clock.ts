/** What several machines did, in the order of their one virtual time. */
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
  const heads = runs.map((run) => timed(run)[Symbol.iterator]()).map((events) => ({ events, next: nextOf(events) }));
  for (;;) {
    let first = -1;
    for (let machine = 0; machine < heads.length; machine += 1) {
      const { next } = heads[machine]!;
      if (next !== undefined && (first < 0 || next.ns < heads[first]!.next!.ns)) first = machine;
    }
    const head = heads[first];
    if (head?.next === undefined) return;
    yield { ...head.next, machine: first };
    head.next = nextOf(head.events);
  }
}

function* timed({ events, pace }: Paced): Generator<Timed, void> {
  const clock = eventClock(pace);
  for (const stamped of events) yield { stamped, ns: clock.ns(stamped) };
}

function nextOf(events: Iterator<Timed, void>): Timed | undefined {
  const { done, value } = events.next();
  return done === true ? undefined : (value as Timed);
}
