import type { Socket } from 'node:net';
import { type Arrival, idleLine, type LineState, receive } from './packet.ts';

/** Who is let in to the stub. */
export interface Door {
  /** Somebody is in: one at a time can stand in a run. */
  isTaken(): boolean;
  /** It is gdb: what it has sent so far, and the line it goes on by. */
  enter(socket: Socket, line: LineState, arrivals: readonly Arrival[]): void;
  /** What a person at the terminal is told. */
  say(sentence: string): void;
}

/** gdb speaks first, and at once. */
const PATIENCE_MS = 10_000;
/** Connections that have said nothing yet. */
const MOST_SILENT = 16;
/** The same is not said more often: a page can try a thousand times a second. */
const SAID_AGAIN_MS = 1000;

const SECOND = 'A second gdb was refused: one at a time can stand in a run.';
const STRANGER = 'A connection was closed: what it sent is no packet of gdb.';
const SILENT = 'A connection was closed: gdb would have sent a packet by now.';

/**
 * A door for the connections of one port. Until it has sent a whole packet of gdb's, a connection is nobody: it stops
 * no guest, keeps nobody out and is answered nothing, since a browser sends what a page wants to any port nearby.
 */
export function doorTo({ isTaken, enter, say }: Door): (socket: Socket) => void {
  const saidAt = new Map<string, number>();
  const sayOnce = (sentence: string): void => {
    const now = performance.now();
    if (now - (saidAt.get(sentence) ?? Number.NEGATIVE_INFINITY) < SAID_AGAIN_MS) return;
    saidAt.set(sentence, now);
    say(sentence);
  };
  let silent = 0;
  return (socket) => {
    // A client that vanishes is noticed by 'close'.
    socket.on('error', () => undefined);
    const turnAway = (why: string): void => {
      sayOnce(why);
      socket.destroy();
    };
    if (isTaken() || silent >= MOST_SILENT) {
      turnAway(isTaken() ? SECOND : SILENT);
      return;
    }
    silent += 1;
    const patience = setTimeout(() => turnAway(SILENT), PATIENCE_MS);
    let isIn = false;
    const noLongerSilent = (): void => {
      if (!isIn) silent -= 1;
      isIn = true;
      clearTimeout(patience);
    };
    const line = idleLine();
    const hear = (bytes: Uint8Array): void => {
      const arrivals = receive(line, bytes);
      const first = arrivals.find(({ kind }) => kind === 'packet' || kind === 'malformed');
      // Noise after a packet, too: a request of HTTP may begin like one.
      if (first?.kind === 'malformed' || arrivals.some(({ kind }) => kind === 'noise')) turnAway(STRANGER);
      else if (first !== undefined && isTaken()) turnAway(SECOND);
      else if (first !== undefined) {
        noLongerSilent();
        socket.off('data', hear);
        enter(socket, line, arrivals);
      }
    };
    socket.on('data', hear);
    socket.once('close', noLongerSilent);
  };
}
