/** What a segment of the guest's does to a connection, once it is known to count for it. RFC 9293, 3.10.7. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { TCP_FLAGS } from '../../packets/tcp.ts';
import { heard, looksAtBytes } from '../world/apps.ts';
import { dequeue, keepFirst } from './buffer.ts';
import { duplicate, measured, progressed } from './congestion.ts';
import { type Connection, type Early, guestFinished, isFinishing, isOpening, MOST_WINDOW } from './connection.ts';
import { distance, isAfter, later, plus } from './sequence.ts';

type Received = EventOf<'sim:tcp_received'>;
type Open = Draft<Connection>;

const { ACK, FIN, RST, SYN, URG } = TCP_FLAGS;
const MS = 1_000_000;

/** slirp's TIMEOUT_FAST, twice TCPTV_MSL, and TCP_MAXIDLE. */
const ACKNOWLEDGE_AFTER = 2 * MS;
const TIME_WAIT = 10_000 * MS;
const NOBODY_LISTENS = 600_000 * MS;

/** Segments that came too early are kept up to this many. */
const MOST_EARLY = 64;

/** `packet`: what it came in, a byte a character. */
export function received(connection: Open, e: Received, packet: string): void {
  connection.heardAt = e.at;
  if (connection.phase === 'syn-sent' && (e.flags & SYN) !== 0) agreed(connection, e);
  if (e.cut > 0 && e.length === 0) connection.mustAcknowledge = true;
  if ((e.flags & ACK) === 0) return;
  const isUsual = isExpected(connection, e);
  acknowledged(connection, e);
  if (connection.phase === 'closed') return;
  windowTold(connection, e);
  const text = looksAtBytes(connection.app) ? packet.slice(e.offset, e.offset + e.length) : '';
  spoken(connection, e, text, isUsual);
}

/** The guest takes a connection a host has asked for. What stands in its segment begins behind its SYN. */
function agreed(connection: Open, e: Received): void {
  connection.awaited = e.seq;
  connection.offeredTo = e.seq;
  connection.windowSequence = plus(e.seq, -1);
  connection.mss = Math.max(Math.min(connection.mss, e.mss), 1);
  connection.congestionWindow = connection.mss;
  connection.mustAcknowledge = true;
  if ((e.flags & ACK) === 0) connection.phase = 'syn-received';
}

/** Data in order, with nothing else to it: what BSD predicts. It is acknowledged at once, others within two ms. */
const isExpected = (connection: Connection, e: Received): boolean =>
  connection.phase === 'established' &&
  (e.flags & (SYN | FIN | RST | URG | ACK)) === ACK &&
  e.seq === connection.awaited &&
  e.cut === 0 &&
  e.window > 0 &&
  e.window === connection.window &&
  e.ack === connection.unacknowledged &&
  connection.next === connection.sentTo;

function acknowledged(connection: Open, e: Received): void {
  const news = distance(connection.unacknowledged, e.ack);
  if (isOpening(connection)) {
    opened(connection, e);
  } else if (news > 0) {
    advanced(connection, e, news);
  } else if (e.length > 0 || e.window !== connection.window) {
    connection.duplicates = 0;
  } else if (news === 0 && connection.resendAt !== undefined) {
    duplicate(connection);
  } else {
    connection.duplicates = 0;
  }
}

/** Our SYN is acknowledged. */
function opened(connection: Open, e: Received): void {
  connection.phase = 'established';
  connection.endAt = undefined;
  connection.windowSequence = plus(e.seq, -1);
  timed(connection, e);
  progressed(connection, e.ack, 0);
  connection.unacknowledged = e.ack;
  connection.next = later(connection.next, e.ack);
  restart(connection, e);
}

function timed(connection: Open, e: Received): void {
  if (connection.timed === undefined || !isAfter(e.ack, connection.timed.sequence)) return;
  measured(connection, e.at - connection.timed.at);
  connection.timed = undefined;
}

/** Who waits for an acknowledgment waits anew while there is more of ours on its way. */
function restart(connection: Open, e: Received): void {
  if (e.ack === connection.sentTo) connection.resendAt = undefined;
  else if (connection.probeAt === undefined) connection.resendAt = e.at + connection.timeout;
}

function advanced(connection: Open, e: Received, news: number): void {
  timed(connection, e);
  const bytes = Math.min(news, connection.queued);
  const isAll = news > connection.queued;
  progressed(connection, e.ack, bytes);
  dequeue(connection, bytes);
  connection.moved += bytes;
  connection.window = Math.max(connection.window - bytes, 0);
  connection.unacknowledged = e.ack;
  connection.next = later(connection.next, e.ack);
  restart(connection, e);
  if (isAll) finAcknowledged(connection, e);
}

function finAcknowledged(connection: Open, e: Received): void {
  switch (connection.phase) {
    case 'fin-wait-1':
      connection.phase = 'fin-wait-2';
      connection.endAt = e.at + NOBODY_LISTENS;
      return;
    case 'closing':
      waitsOut(connection, e);
      return;
    case 'last-ack':
      connection.phase = 'closed';
      return;
    default:
  }
}

/** What is still on its way may come. */
function waitsOut(connection: Open, e: Received): void {
  connection.phase = 'time-wait';
  connection.resendAt = undefined;
  connection.probeAt = undefined;
  connection.endAt = e.at + TIME_WAIT;
}

function windowTold(connection: Open, e: Received): void {
  const ahead = distance(connection.windowSequence, e.seq);
  const acknowledges = distance(connection.windowAcknowledgment, e.ack);
  const isNewer =
    ahead > 0 || (ahead === 0 && (acknowledges > 0 || (acknowledges === 0 && e.window > connection.window)));
  if (!isNewer) return;
  connection.window = e.window;
  connection.windowSequence = e.seq;
  connection.windowAcknowledgment = e.ack;
  connection.largestWindow = Math.max(connection.largestWindow, e.window);
}

/** What the guest says, and that it says no more. */
function spoken(connection: Open, e: Received, text: string, isUsual: boolean): void {
  const fin = (e.flags & FIN) !== 0;
  if (guestFinished(connection)) {
    if (connection.phase === 'time-wait') waitsOut(connection, e);
    return;
  }
  if (e.length === 0 && !fin) return;
  if (e.seq !== connection.awaited || connection.early.length > 0) {
    connection.mustAcknowledge = true;
    keepEarly(connection, e, text);
    takeEarly(connection, e);
    return;
  }
  take(connection, e.length, text);
  if (fin) guestEnds(connection, e);
  else if (isUsual || connection.phase !== 'established') connection.mustAcknowledge = true;
  else connection.acknowledgeAt ??= e.at + ACKNOWLEDGE_AFTER;
}

function take(connection: Open, length: number, text: string): void {
  connection.awaited = plus(connection.awaited, length);
  if (length > 0) heard(connection, length, text);
}

/** Kept in order, those that overlap too: what was taken of one is no more taken of the next. */
function keepEarly(connection: Open, e: Received, text: string): void {
  const { early } = connection;
  if (early.length >= MOST_EARLY) return;
  const fin = (e.flags & FIN) !== 0;
  const kept: Early = { sequence: e.seq, length: e.length, text: text.slice(0, MOST_WINDOW), fin };
  if (early.some((other) => other.sequence === e.seq && other.length >= e.length && (other.fin || !fin))) return;
  const at = early.findIndex(({ sequence }) => distance(e.seq, sequence) > 0);
  early.splice(at < 0 ? early.length : at, 0, kept);
}

/** What is in order now is taken. */
function takeEarly(connection: Open, e: Received): void {
  while (connection.early.length > 0) {
    const [first] = connection.early;
    const known = distance(first!.sequence, connection.awaited);
    if (known < 0) return;
    connection.early.shift();
    if (guestFinished(connection)) continue;
    const rest = first!.length - known;
    if (rest > 0) take(connection, rest, first!.text.slice(known));
    if (first!.fin && rest >= 0) guestEnds(connection, e);
  }
}

/** No more comes from the guest. */
function guestEnds(connection: Open, e: Received): void {
  connection.awaited = plus(connection.awaited, 1);
  connection.mustAcknowledge = true;
  switch (connection.phase) {
    case 'established':
      connection.phase = 'close-wait';
      // Who says something without end ends it here.
      if (connection.app.kind === 'source')
        keepFirst(connection, distance(connection.unacknowledged, connection.sentTo));
      return;
    case 'fin-wait-1':
      connection.phase = 'closing';
      return;
    case 'fin-wait-2':
      waitsOut(connection, e);
      return;
    default:
  }
}

/** The host has no more to say than is queued. */
export function hostEnds(connection: Open): void {
  if (isFinishing(connection)) return;
  if (connection.phase === 'established') connection.phase = 'fin-wait-1';
  if (connection.phase === 'close-wait') connection.phase = 'last-ack';
}
