/** How much may be on its way: RFC 5681 as BSD and slirp reckon, with the recovery of RFC 6582. */
import type { Draft } from '../../base/draft.ts';
import type { Ns } from '../../base/units.ts';
import { type Connection, MOST_WINDOW } from './connection.ts';
import { distance, isAfter } from './sequence.ts';

const MS = 1_000_000;
/**
 * What slirp's clock of half seconds comes to for a round trip that is over at once, its TCPTV_REXMTMAX, and its
 * t_rxtcur before anything was measured.
 */
const LEAST_TIMEOUT = 1500 * MS;
const MOST_TIMEOUT = 12_000 * MS;
export const FIRST_TIMEOUT = 6000 * MS;

/** So many acknowledgments that say the same again mean a loss. */
const THRESHOLD = 3;

/** A round trip took so long. RFC 6298, 2. */
export function measured(connection: Draft<Connection>, took: Ns): void {
  const { roundTrip } = connection;
  if (roundTrip === undefined) {
    connection.roundTrip = took;
    connection.variation = Math.floor(took / 2);
  } else {
    const off = took - roundTrip;
    connection.roundTrip = roundTrip + Math.floor(off / 8);
    connection.variation += Math.floor((Math.abs(off) - connection.variation) / 4);
  }
  const timeout = connection.roundTrip! + 4 * connection.variation;
  connection.timeout = Math.min(Math.max(timeout, LEAST_TIMEOUT), MOST_TIMEOUT);
}

const halfOfFlight = ({ window, congestionWindow, mss }: Connection): number =>
  Math.max(2, Math.floor(Math.min(window, congestionWindow) / 2 / mss)) * mss;

/** An acknowledgment said what one before it had said. */
export function duplicate(connection: Draft<Connection>): void {
  connection.duplicates += 1;
  if (connection.recovering) {
    connection.congestionWindow = Math.min(connection.congestionWindow + connection.mss, MOST_WINDOW);
    return;
  }
  // What comes back for segments that were sent again after a timeout says nothing of a new loss.
  const isNew = isAfter(connection.unacknowledged, connection.recoverTo);
  if (connection.duplicates !== THRESHOLD || !isNew) return;
  connection.threshold = halfOfFlight(connection);
  connection.congestionWindow = connection.threshold + THRESHOLD * connection.mss;
  connection.recovering = true;
  connection.recoverTo = connection.sentTo;
  connection.resend = true;
  // It is given as long as if it went for the first time.
  connection.resendAt = undefined;
  connection.timed = undefined;
}

/** Something was acknowledged that was not before: `bytes` of it. */
export function progressed(connection: Draft<Connection>, acknowledgment: number, bytes: number): void {
  connection.tries = 0;
  if (connection.recovering && distance(connection.recoverTo, acknowledgment) < 0) {
    // The next hole begins here.
    connection.resend = true;
    connection.congestionWindow = Math.max(connection.congestionWindow - bytes, 0) + connection.mss;
    return;
  }
  if (connection.recovering) {
    connection.recovering = false;
    connection.congestionWindow = Math.min(connection.congestionWindow, connection.threshold);
  } else {
    grow(connection);
  }
  connection.duplicates = 0;
}

/** By a segment for each acknowledgment at first, then by one for each round trip. */
function grow(connection: Draft<Connection>): void {
  const { congestionWindow, threshold, mss } = connection;
  const step = congestionWindow > threshold ? Math.floor((mss * mss) / congestionWindow) : mss;
  connection.congestionWindow = Math.min(congestionWindow + step, MOST_WINDOW);
}

/** Nothing came back in time: begin anew, one segment at a time, and wait for longer. */
export function timedOut(connection: Draft<Connection>): void {
  connection.tries += 1;
  connection.timeout = Math.min(connection.timeout * 2, MOST_TIMEOUT);
  connection.threshold = halfOfFlight(connection);
  connection.congestionWindow = connection.mss;
  connection.duplicates = 0;
  connection.recovering = false;
  connection.resend = false;
  connection.recoverTo = connection.sentTo;
  connection.timed = undefined;
  connection.next = connection.unacknowledged;
}
