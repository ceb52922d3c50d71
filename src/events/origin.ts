import type { Seq, Tick } from '../base/units.ts';
import type { Source } from './stamped.ts';
import type { MachineEvent } from './vocabulary.ts';

/** No event: a fact without a cause, or outside any exit. */
export const NONE = -1;

/** Puts a fact on record: stamped, evolved and told, all before it returns. Returns the fact's sequence number. */
export type Tell = (event: MachineEvent, origin: Origin, tick?: Tick) => Seq;

/**
 * Where facts come from: who raises them, inside the handling of which exit or input, and because of what. Handed down
 * from call to call, so that no fact finds its cause in anything that happens to be set somewhere.
 */
export class Origin {
  readonly source: Source;
  readonly within: Seq;
  readonly cause: Seq;
  private readonly tell: Tell;

  constructor(tell: Tell, source: Source, within: Seq = NONE, cause: Seq = within) {
    this.tell = tell;
    this.source = source;
    this.within = within;
    this.cause = cause;
  }

  /** Raise a fact. `tick` only where it happened at another tick than the machine has come to. */
  raise(event: MachineEvent, tick?: Tick): Seq {
    return this.tell(event, this, tick);
  }

  /** The same for what follows from an event; NONE leaves the cause as it is. */
  after(seq: Seq): Origin {
    return seq === NONE ? this : new Origin(this.tell, this.source, this.within, seq);
  }

  /** The same on another thread. */
  by(source: Source): Origin {
    return new Origin(this.tell, source, this.within, this.cause);
  }

  /** The same for what happens by itself meanwhile: the guest's own exit from an entry. */
  during(seq: Seq): Origin {
    return new Origin(this.tell, this.source, seq, NONE);
  }

  /** The same for what happens while an exit or an input is handled, and because of it. */
  inside(seq: Seq): Origin {
    return new Origin(this.tell, this.source, seq, seq);
  }
}
