import type { Gate } from '../../replay/streams/hold.ts';

/** Steps of the loop between two readings of the host's clock: of the dearest, less than a slice. */
const STEPS_PER_READING = 8;

/**
 * Holds a run while somebody holds it, and once its slice of the host's time is over. The loop asks between its steps,
 * of which none is long: no guest keeps those waiting who are to be heard after it.
 */
export class Slice implements Pick<Gate, 'isHeld'> {
  /** Its time is over. */
  isOver = false;
  private readonly gate: Gate | undefined;
  private readonly milliseconds: () => number;
  private readonly end: number;
  private steps = 0;

  constructor(length: number, milliseconds: () => number, gate: Gate | undefined) {
    this.gate = gate;
    this.milliseconds = milliseconds;
    this.end = milliseconds() + length;
  }

  get isHeld(): boolean {
    this.steps += 1;
    if (this.steps % STEPS_PER_READING === 0) this.look();
    return this.isOver || this.gate?.isHeld === true;
  }

  look(): void {
    if (this.milliseconds() >= this.end) this.isOver = true;
  }
}
