import type { CharacterPort } from '../runs/run-inputs.ts';
import type { Session } from '../runs/underway/session.ts';

/**
 * Bytes a port is given before the guest has taken those it has: no more than it takes in a small part of a slice, or
 * a guest before an endless input would do nothing but take it.
 */
const MOST_WAITING = 1 << 8;
/** Bytes kept here: who has more is not read any further. */
const MOST_HELD = 1 << 16;

/** What came from outside for one port of the machine, until the guest takes it: nobody's memory grows by it. */
export class Feed {
  readonly at: CharacterPort;
  private held: Uint8Array[] = [];
  private size = 0;

  constructor(at: CharacterPort) {
    this.at = at;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  get isFull(): boolean {
    return this.size >= MOST_HELD;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.held.push(bytes);
    this.size += bytes.length;
  }

  /** Type as much as the port has room for. */
  pass(session: Pick<Session, 'type' | 'waiting'>): void {
    const room = MOST_WAITING - session.waiting(this.at);
    if (this.isEmpty || room <= 0) return;
    const all = this.held.length === 1 ? (this.held[0] as Uint8Array) : Buffer.concat(this.held);
    session.type(this.at, all.subarray(0, room));
    const left = all.subarray(room);
    this.held = left.length === 0 ? [] : [left];
    this.size = left.length;
  }
}
