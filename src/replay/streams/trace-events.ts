import { asyncScheduler, Observable, type Subscriber } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';
import { inOrder } from '../trace/in-order.ts';
import type { TraceReader } from '../trace/reader.ts';
import type { Gate } from './hold.ts';

/** Events told between two pauses in which the rest of the program goes on. */
const EVENTS_AT_ONCE = 1 << 14;

/**
 * The events of a trace, from the first, for each subscriber anew. They begin to come after `subscribe` has returned,
 * and stand while `gate` is held. A trace that ends early ends in a TraceDamage. Of the trace no more is held than a
 * chunk.
 */
export const traceEvents = (trace: TraceReader, gate: Gate): Observable<Stamped> =>
  new Observable((subscriber) => {
    const events = inOrder(trace);
    const later = (): void => void subscriber.add(asyncScheduler.schedule(goOn));
    const goOn = (): void => {
      const told = tell(events, subscriber, gate);
      if (told === 'held') gate.whenOpen(later);
      else if (told === 'more') later();
    };
    later();
  });

function tell(events: Iterator<Stamped, void>, subscriber: Subscriber<Stamped>, gate: Gate): 'held' | 'more' | 'over' {
  try {
    for (let told = 0; told < EVENTS_AT_ONCE; told += 1) {
      if (subscriber.closed) return 'over';
      if (gate.isHeld) return 'held';
      const { done, value } = events.next();
      if (done === true) {
        subscriber.complete();
        return 'over';
      }
      subscriber.next(value);
    }
    return 'more';
  } catch (damage) {
    subscriber.error(damage);
    return 'over';
  }
}
