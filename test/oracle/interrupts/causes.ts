import type { Stamped } from '../../../src/events/stamped.ts';
import { type EventKind, VOCABULARY } from '../../../src/events/vocabulary.ts';

const NONE = -1;

/** What a chain of causes says. */
interface Chain {
  /** The first fire of a timer on it, or else its end. */
  readonly root: number;
  /** Its end: through a timer's arm, who armed it. */
  readonly end: number;
  /** The events on it, as far back as was asked for. */
  readonly path: readonly number[];
}

/** The links of cause of a run. */
export class Causes {
  private readonly causes: number[] = [];
  private readonly roots: number[] = [];
  private readonly ends: number[] = [];
  private readonly kinds: EventKind[] = [];

  /** The next event. Returns what is wrong with its cause. */
  next({ seq, cause = NONE, event }: Stamped): string | undefined {
    const isLinked = cause >= 0 && cause < seq;
    this.causes.push(isLinked ? cause : NONE);
    this.ends.push(isLinked ? this.ends[cause]! : seq);
    this.roots.push(event.kind === 'sim:timer_fire' || !isLinked ? seq : this.roots[cause]!);
    this.kinds.push(event.kind);
    return cause >= seq || cause < NONE ? `${event.kind} names #${cause}, which is yet to come` : undefined;
  }

  /** The chain of an event, listed back to the event `last`. */
  of(seq: number, last: number): Chain {
    const path: number[] = [];
    for (let at = this.causes[seq]!; at >= last && at !== NONE; at = this.causes[at]!) path.push(at);
    return { root: this.roots[seq]!, end: this.ends[seq]!, path };
  }

  /** An interrupt begins with what the guest did, or with an input; otherwise: with what. */
  whyNoEnd(seq: number): string | undefined {
    const kind = this.kinds[seq]!;
    return kind === 'kvm_exit' || VOCABULARY[kind].receiver !== undefined ? undefined : `#${seq}, ${kind}`;
  }
}
