/** What a connection is like when segments have gone out, or did not in time. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { TCP_FLAGS } from '../../packets/tcp.ts';
import { timedOut } from './congestion.ts';
import type { Connection } from './connection.ts';
import { distance, isAfter, later, plus } from './sequence.ts';

type Open = Draft<Connection>;

const { FIN, SYN } = TCP_FLAGS;
const MS = 1_000_000;

/** slirp's TCPTV_PERSMIN and TCPTV_PERSMAX. */
const LEAST_PROBE = 5000 * MS;
const MOST_PROBE = 60_000 * MS;
/** Beyond this a wait grows no more. */
const MOST_SHIFT = 6;

/** Segments went out. */
export function sent(connection: Open, e: EventOf<'sim:tcp_sent' | 'sim:tcp_retransmitted'>): void {
  const occupied = e.length + ((e.flags & SYN) === 0 ? 0 : 1) + ((e.flags & FIN) === 0 ? 0 : 1);
  told(connection, e.window);
  connection.arrivesAt = Math.max(connection.arrivesAt, e.due);
  if (occupied === 0) return;
  const end = plus(e.seq, occupied);
  connection.resend = false;
  if (distance(e.seq, connection.next) >= 0) connection.next = later(connection.next, end);
  if (isAfter(end, connection.sentTo)) {
    // Karn: what was sent before is not timed.
    if (e.seq === connection.sentTo) connection.timed ??= { sequence: e.seq, at: e.at };
    connection.sentTo = end;
  }
  if (connection.probeAt !== undefined) connection.tries = 0;
  connection.probeAt = undefined;
  connection.resendAt ??= e.at + connection.timeout;
}

/** What was received is acknowledged, and the guest knows how much more it may send. */
function told(connection: Open, window: number): void {
  connection.offeredTo = later(connection.offeredTo, plus(connection.awaited, window));
  connection.mustAcknowledge = false;
  connection.acknowledgeAt = undefined;
}

/** A byte went out beyond the window: `next` stays, for it may not have been taken. */
export function probed(connection: Open, e: EventOf<'sim:tcp_probed'>): void {
  told(connection, e.window);
  connection.sentTo = later(connection.sentTo, plus(e.seq, e.length));
}

/** slirp's tcp_setpersist. */
function probeAfter({ roundTrip = 0, variation, tries }: Connection): number {
  const wait = Math.floor((2 * roundTrip + variation * 4) / 2) * 2 ** Math.min(tries, MOST_SHIFT);
  return Math.min(Math.max(wait, LEAST_PROBE), MOST_PROBE);
}

export function stalled(connection: Open, at: number): void {
  connection.tries = 0;
  connection.probeAt = at + probeAfter(connection);
  if (connection.window > 0) return;
  // What the guest has no room for any more it has not taken.
  connection.resendAt = undefined;
  connection.next = connection.unacknowledged;
}

/** Time is up. */
export function timeIsUp(connection: Open, { timer, at }: EventOf<'sim:tcp_timeout'>): void {
  switch (timer) {
    case 'resend':
      timedOut(connection);
      connection.resendAt = at + connection.timeout;
      return;
    case 'probe':
      connection.tries += 1;
      connection.probeAt = at + probeAfter(connection);
      return;
    case 'acknowledge':
      connection.acknowledgeAt = undefined;
      connection.mustAcknowledge = true;
      return;
    default:
  }
}
