import type { EventKind } from '../../../events/vocabulary.ts';
import type { InputEvent } from '../../../machine/parts.ts';

/** Frames that are on their way to the machine, at most. */
const MOST_UNDERWAY = 32;

/**
 * What the outside says to one backend, in order. Frames wait here while the guest takes none, and who brings them is
 * not read further meanwhile.
 */
export class Inward {
  private readonly send: (event: InputEvent) => void;
  private readonly hasRoom: () => void;
  private readonly waiting: InputEvent[] = [];
  private underway = 0;
  private held = 0;

  /** hasRoom: nothing waits any more. */
  constructor(send: (event: InputEvent) => void, hasRoom: () => void) {
    this.send = send;
    this.hasRoom = hasRoom;
  }

  /** What waits here. */
  get length(): number {
    return this.waiting.length;
  }

  /** More would be taken at once. */
  get isOpen(): boolean {
    return this.waiting.length === 0 && this.held === 0;
  }

  add(event: InputEvent): void {
    this.waiting.push(event);
    this.pass();
  }

  /** What the backend has told of frames. */
  told(kind: EventKind): void {
    if (kind === 'sim:frame_received') this.underway = Math.max(this.underway - 1, 0);
    else if (kind === 'sim:frame_held') this.held += 1;
    else if (kind === 'sim:frame_taken') this.held = Math.max(this.held - 1, 0);
    else return;
    this.pass();
    if (this.isOpen) this.hasRoom();
  }

  private pass(): void {
    for (;;) {
      const [first] = this.waiting;
      if (first === undefined) return;
      if (first.kind === 'sim:frame_received') {
        if (this.held > 0 || this.underway >= MOST_UNDERWAY) return;
        this.underway += 1;
      }
      this.waiting.shift();
      this.send(first);
    }
  }
}
