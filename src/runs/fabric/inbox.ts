import type { Ns } from '../../base/units.ts';
import type { InputEvent, PendingInput } from '../../machine/parts.ts';
import type { ExpectedInputs } from '../underway/expected-inputs.ts';

/** Something that is to come to a machine from another, or from people. */
export interface Arrival {
  readonly ns: Ns;
  /** Which machine it is from, or PEOPLE. */
  readonly from: number;
  /** Which of theirs it is. */
  readonly number: number;
  readonly event: InputEvent;
}

export const PEOPLE = -1;

/** What comes at once comes in the order of who sent it: never in that in which machines happened to be run. */
const inOrder = (one: Arrival, other: Arrival): number =>
  one.ns - other.ns || one.from - other.from || one.number - other.number;

/**
 * What is on its way to a machine, beside what was known to come. It is handed over only as far as nothing else can
 * still come before it.
 */
export class Inbox implements ExpectedInputs {
  opensUntil: Ns = 0;
  private readonly arrivals: Arrival[] = [];
  private readonly known: ExpectedInputs;

  constructor(known: ExpectedInputs) {
    this.known = known;
  }

  add(arrival: Arrival): void {
    const { arrivals } = this;
    let at = arrivals.length;
    while (at > 0 && inOrder(arrival, arrivals[at - 1]!) < 0) at -= 1;
    arrivals.splice(at, 0, arrival);
  }

  /** Somebody has said something that it has not been given yet. */
  get isSpokenTo(): boolean {
    return this.arrivals.some(({ from }) => from === PEOPLE);
  }

  /** How much somebody has said. */
  get said(): number {
    return this.arrivals.filter(({ from }) => from === PEOPLE).length;
  }

  /** When the next comes. */
  get nextNs(): Ns {
    return this.arrivals[0]?.ns ?? Infinity;
  }

  get next(): PendingInput | undefined {
    const { first, known } = this;
    return first !== undefined && first.ns <= (known.next?.ns ?? Infinity) ? first : known.next;
  }

  take(): void {
    if (this.next === this.known.next) this.known.take();
    else this.arrivals.shift();
  }

  /** The first of those that may be handed over. */
  private get first(): Arrival | undefined {
    const [first] = this.arrivals;
    return first !== undefined && first.ns < this.opensUntil ? first : undefined;
  }
}
