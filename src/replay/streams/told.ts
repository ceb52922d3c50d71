import { Observable, type Subscriber } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';

/**
 * What a machine tells, for any number of readers: our own and anybody's. Readers hear an event once the state has
 * changed by it, in the order of their subscription; nothing they do is seen by the machine before its next step.
 */
export class Told {
  /** Replaced, never changed: an event is told to those who were there when it happened. */
  private readers: readonly Subscriber<Stamped>[] = [];
  /** Tells a reader that nothing more comes, and why. */
  private close: ((reader: Subscriber<Stamped>) => void) | undefined;

  /** The events themselves: for readers that leave them as they are. */
  readonly events$ = new Observable<Stamped>((reader) => {
    if (this.close !== undefined) return this.close(reader);
    this.readers = [...this.readers, reader];
    return () => {
      this.readers = this.readers.filter((each) => each !== reader);
    };
  });

  /** A machine's `onEvent`. What a Subject does around each event costs as much as recording it. */
  readonly hear = (stamped: Stamped): void => {
    const { readers } = this;
    for (let i = 0; i < readers.length; i += 1) (readers[i] as Subscriber<Stamped>).next(stamped);
  };

  /** The run is over. */
  end(): void {
    this.closeBy((reader) => reader.complete());
  }

  /** The run cannot go on. */
  fail(error: unknown): void {
    this.closeBy((reader) => reader.error(error));
  }

  private closeBy(close: (reader: Subscriber<Stamped>) => void): void {
    if (this.close !== undefined) return;
    this.close = close;
    const { readers } = this;
    this.readers = [];
    for (const reader of readers) close(reader);
  }
}
