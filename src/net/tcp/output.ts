/** What a connection has to send now: slirp's tcp_output. */
import type { Ns } from '../../base/units.ts';
import type { Ends } from '../../packets/checksum.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { NOTHING } from '../../packets/layout.ts';
import { buildTcp, mssOption, type ParsedTcp, TCP_FLAGS, TCP_HEADER } from '../../packets/tcp.ts';
import type { Addressed, UserNet } from '../user/part.ts';
import { roomFor } from '../world/apps.ts';
import { arrivalAfter, carry, mssOnWay } from '../world/link.ts';
import { queuedBytes } from './buffer.ts';
import { addressText, type Connection, isFinishing, isOpening, isStalled, MOST_WINDOW } from './connection.ts';
import { distance, isAfter, plus } from './sequence.ts';

const { ACK, FIN, PSH, RST, SYN } = TCP_FLAGS;

/** Segments one behind the other, full ones but for the last, whose flags these are. */
interface Burst {
  readonly kind: 'sim:tcp_sent' | 'sim:tcp_retransmitted' | 'sim:tcp_probed';
  readonly sequence: number;
  /** Bytes in all, and where they are among what is queued. */
  readonly length: number;
  readonly offset: number;
  readonly flags: number;
}

/**
 * Why somebody asks. quiet: nothing of the guest's has changed what may be sent, so that only what is new is, or what
 * must be. probe: what is queued is to be sent though there is no window. acknowledge: at least an empty segment.
 */
export type Reason = 'usual' | 'quiet' | 'probe' | 'acknowledge';

/** Send whatever a connection has to send. */
export function output(net: UserNet, id: number, reason: Reason = 'usual'): void {
  let why = reason;
  for (;;) {
    const connection = net.state.tcp.connections[id];
    if (connection === undefined || connection.phase === 'closed') return;
    const burst = burstOf(connection, why, net.effects.now);
    if (burst === undefined) break;
    send(net, id, burst);
    why = reason === 'quiet' ? 'quiet' : 'usual';
  }
  const connection = net.state.tcp.connections[id]!;
  const { queued, resendAt, probeAt, window } = connection;
  const waitsForWindow = probeAt === undefined && (resendAt === undefined || window === 0);
  if (queued > 0 && waitsForWindow && !isOpening(connection) && !isStalled(connection)) {
    net.effects.raise({ kind: 'sim:tcp_stalled', dev: net.effects.name, connection: id, at: net.effects.now });
  }
}

function burstOf(connection: Connection, why: Reason, now: number): Burst | undefined {
  if (isOpening(connection)) return greeting(connection, why);
  if (connection.resend) return again(connection);
  const offset = distance(connection.unacknowledged, connection.next);
  const length = sendable(connection, offset, why, now);
  if (length === 0 && why === 'probe' && connection.queued > 0) return probe(connection);
  const isLast = offset + length === connection.queued;
  const flags = ACK | (isLast && length > 0 ? PSH : 0) | (isLast && isFinishing(connection) ? FIN : 0);
  if (length > 0 || (flags & FIN) !== 0)
    return { kind: kindAt(connection), sequence: connection.next, length, offset, flags };
  const mustTell = why === 'acknowledge' || connection.mustAcknowledge || (why !== 'quiet' && hasMoreRoom(connection));
  if (!mustTell) return undefined;
  return { kind: 'sim:tcp_sent', sequence: quietSequence(connection), length: 0, offset, flags: ACK };
}

const kindAt = ({ next, sentTo }: Connection): Burst['kind'] =>
  isAfter(sentTo, next) ? 'sim:tcp_retransmitted' : 'sim:tcp_sent';

/** What an empty segment has: the byte beyond the window that a probe sent may not have been taken. */
const quietSequence = ({ probeAt, next, sentTo }: Connection): number => (probeAt === undefined ? sentTo : next);

/** SYN, or SYN and ACK: sent once, again when time is up or the guest says its own again. */
function greeting(connection: Connection, why: Reason): Burst | undefined {
  const { app, first, next, phase, sentTo, mustAcknowledge } = connection;
  // Nothing is said before it is known whether somebody is there.
  if (app.kind === 'live' && app.socket === 'asked') return undefined;
  if (next !== first && why !== 'acknowledge' && !mustAcknowledge) return undefined;
  const flags = phase === 'syn-sent' ? SYN : SYN | ACK;
  const kind = sentTo === first ? 'sim:tcp_sent' : 'sim:tcp_retransmitted';
  return { kind, sequence: first, length: 0, offset: 0, flags };
}

/** The first segment that is not acknowledged. */
function again(connection: Connection): Burst {
  const { mss, queued, unacknowledged, sentTo } = connection;
  const length = Math.min(mss, queued);
  const isLast = length === queued;
  const finSent = distance(unacknowledged, sentTo) > queued;
  const flags = ACK | (isLast && length > 0 ? PSH : 0) | (isLast && finSent ? FIN : 0);
  return { kind: 'sim:tcp_retransmitted', sequence: unacknowledged, length, offset: 0, flags };
}

/** One byte, so that the guest says what its window is. */
const probe = ({ unacknowledged, queued }: Connection): Burst => ({
  ...{ kind: 'sim:tcp_probed', sequence: unacknowledged, length: 1, offset: 0 },
  flags: ACK | (queued === 1 ? PSH : 0),
});

/** How many bytes may go now: whole segments, and the rest if it is the last, or half of what the guest ever takes. */
function sendable(connection: Connection, offset: number, why: Reason, now: number): number {
  const { mss, next, queued, sentTo, largestWindow } = connection;
  if (isStalled(connection) && !isAfter(sentTo, next)) return 0;
  const window = Math.min(connection.window, congestionWindow(connection, now));
  const room = Math.min(queued, window) - offset;
  if (room <= 0) return 0;
  const rest = room % mss;
  if (offset + room >= queued || why === 'probe' || isAfter(sentTo, next)) return room;
  return rest < Math.floor(largestWindow / 2) || largestWindow === 0 ? room - rest : room;
}

/** Who has heard nothing for long begins anew with one segment. */
function congestionWindow(
  { congestionWindow: most, heardAt, mss, sentTo, timeout, unacknowledged }: Connection,
  now: number,
): number {
  return sentTo === unacknowledged && now - heardAt >= timeout ? Math.min(most, mss) : most;
}

/** The window to tell: never smaller than what was told before, and none rather than a silly one. */
function windowOf(connection: Connection): number {
  const { awaited, mss, offeredTo } = connection;
  const room = Math.min(roomFor(connection), MOST_WINDOW);
  return Math.max(room < mss ? 0 : room, distance(awaited, offeredTo));
}

function hasMoreRoom(connection: Connection): boolean {
  const more = windowOf(connection) - distance(connection.awaited, connection.offeredTo);
  return more >= 2 * connection.mss;
}

/** Put it on record, then on the wire. */
function send(net: UserNet, id: number, { kind, sequence, length, offset, flags }: Burst): void {
  const { effects } = net;
  const connection = net.state.tcp.connections[id]!;
  const { awaited, host, mss, pieces } = connection;
  const window = windowOf(connection);
  const header = { acknowledgment: (flags & ACK) === 0 ? 0 : awaited, window };
  const bytes = queuedBytes(pieces, offset, length, (file, from, count) => effects.fileBytes(file, from, count));
  const starts = Array.from({ length: Math.max(Math.ceil(length / mss), 1) }, (_, at) => at * mss);
  let due = connection.arrivesAt;
  const dues = starts.map((at) => (due = arrivalAfter(net, host, TCP_HEADER + Math.min(mss, length - at), due)));
  effects.raise({
    kind,
    dev: effects.name,
    connection: id,
    seq: sequence,
    length,
    flags,
    window,
    at: effects.now,
    due,
  });
  for (const [number, at] of starts.entries()) {
    const isLast = number === starts.length - 1;
    const payload = bytes.subarray(at, at + mss);
    const segment = { ...header, sequence: plus(sequence, at), flags: isLast ? flags : flags & ~(PSH | FIN), payload };
    transmit(net, connection, segment, dues[number]!);
  }
}

interface Header {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly payload: Uint8Array;
}

/** Who a segment goes from and to, and how much of a packet's service it asks for. */
type Way = Pick<Connection, 'guest' | 'guestPort' | 'host' | 'hostPort' | 'tos'>;

function transmit(net: UserNet, way: Way, header: Header, arrives: Ns): void {
  const options = (header.flags & SYN) === 0 ? NOTHING : mssOption(mssOnWay(net, way.host));
  const segment = { ...header, sourcePort: way.hostPort, destinationPort: way.guestPort, urgent: 0, options };
  // Both are of one family.
  const ends = { source: way.host, destination: way.guest, protocol: IP_PROTOCOLS.TCP } as Ends;
  carry(net, { ...ends, tos: way.tos, payload: buildTcp(segment, ends) }, arrives);
}

/** The greatest time to live: slirp's of a reset. */
const MAX_TTL = 255;

/** Answer a segment that belongs to no connection, or cannot be right, by a reset. RFC 9293, 3.10.7.1. */
export function refuse(net: UserNet, ip: Addressed, segment: ParsedTcp): void {
  if ((segment.flags & RST) !== 0) return;
  const { sourcePort, destinationPort, sequence, acknowledgment, flags, payload } = segment;
  const occupied = payload.length + ((flags & SYN) === 0 ? 0 : 1) + ((flags & FIN) === 0 ? 0 : 1);
  const answer =
    (flags & ACK) !== 0
      ? { sequence: acknowledgment, acknowledgment: 0, flags: RST }
      : { sequence: 0, acknowledgment: plus(sequence, occupied), flags: RST | ACK };
  const ends = { source: ip.destination, destination: ip.source, protocol: IP_PROTOCOLS.TCP } as Ends;
  const { effects } = net;
  effects.raise({
    ...{ kind: 'sim:tcp_refused', dev: effects.name, guest: addressText(ip.source), guest_port: sourcePort },
    ...{ host: addressText(ip.destination), host_port: destinationPort },
  });
  const ports = { sourcePort: destinationPort, destinationPort: sourcePort };
  const bytes = buildTcp({ ...answer, ...ports, window: 0, urgent: 0, options: NOTHING, payload: NOTHING }, ends);
  carry(net, { ...ends, ttl: MAX_TTL, payload: bytes }, arrivalAfter(net, ends.source, bytes.length, 0));
}

/** Tell the guest that a connection is no more. */
export function reset(net: UserNet, connection: Connection): void {
  const { arrivesAt, awaited, host, next, phase } = connection;
  const flags = phase === 'syn-sent' ? RST : RST | ACK;
  const header = { sequence: next, acknowledgment: awaited, flags, window: windowOf(connection), payload: NOTHING };
  transmit(net, connection, header, arrivalAfter(net, host, TCP_HEADER, arrivesAt));
}
