import { Subject } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';

/**
 * What a machine tells, for any number of readers: our own and anybody's. Readers hear an event once the state has
 * changed by it, in the order of their subscription; nothing they do is seen by the machine before its next step.
 */
export class Told {
  private readonly subject = new Subject<Stamped>();
  /** The events themselves: for readers that leave them as they are. */
  readonly events$ = this.subject.asObservable();

  /** A machine's `onEvent`. */
  readonly hear = (stamped: Stamped): void => this.subject.next(stamped);

  /** The run is over. */
  end(): void {
    this.subject.complete();
  }

  /** The run cannot go on. */
  fail(error: unknown): void {
    this.subject.error(error);
  }
}
