/** A segment of the guest's: whose it is, and whether it counts. RFC 9293, 3.10.7; slirp's tcp_input. */
import { ICMP_TYPES, UNREACHABLE_CODES } from '../../packets/icmp.ts';
import { ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { NOTHING } from '../../packets/layout.ts';
import { mssOf, type ParsedTcp, TCP_FLAGS } from '../../packets/tcp.ts';
import { type Addressed, isIpv4, placeOf, type UserNet } from '../user/part.ts';
import { sendIcmpError } from '../user/send.ts';
import { mssOnWay } from '../world/link.ts';
import { isOutside } from '../live/allowed.ts';
import { openSocket, runProgram } from '../live/streams.ts';
import { serve } from '../world/serve.ts';
import { programAt, refuses, serviceAt } from '../world/services.ts';
import { close } from './close.ts';
import { addressText, type Connection, isOpening, MOST_CONNECTIONS } from './connection.ts';
import { output, refuse, reset } from './output.ts';
import { distance, isAfter, plus } from './sequence.ts';
import { nextFirst, type TcpState } from './state.ts';

const { ACK, FIN, RST, SYN, URG } = TCP_FLAGS;

/** The number of the connection a segment belongs to; undefined: to none. */
function connectionOf({ connections }: TcpState, ip: Addressed, segment: ParsedTcp): number | undefined {
  for (const id in connections) {
    const { guest, guestPort, host, hostPort } = connections[id]!;
    const isIts = guestPort === segment.sourcePort && hostPort === segment.destinationPort;
    if (isIts && guest === ip.source && host === ip.destination) return Number(id);
  }
  return undefined;
}

/** A segment whose checksum holds, to whoever has its destination. */
export function arrived(net: UserNet, ip: Addressed, segment: ParsedTcp): void {
  const id = connectionOf(net.state.tcp, ip, segment);
  if (id === undefined) {
    begin(net, ip, segment);
    return;
  }
  const connection = net.state.tcp.connections[id]!;
  if (connection.phase === 'syn-sent') answered(net, id, connection, ip, segment);
  else belongs(net, id, connection, ip, segment);
}

/** slirp's least. */
const LEAST_MSS = 32;

/** Most bytes of a segment, of those the way lets through and by what the guest says. To slirp silence is consent. */
const agreedOn = (offers: number, options: Uint8Array): number =>
  Math.max(Math.min(offers, mssOf(options) ?? offers), LEAST_MSS);

/** What slirp sends at most where it first asks a host: its connection does not know then that it is one of IPv4. */
const LIVE_MSS = 1440;

/** What slirp says where the host's own network has no way. */
const NO_NETWORK = { type: ICMP_TYPES.UNREACHABLE, code: UNREACHABLE_CODES.NETWORK };
const NO_ROUTE = { type: ICMPV6_TYPES.UNREACHABLE, code: 0 };

/** A segment without a connection begins one, or has no business here. */
function begin(net: UserNet, ip: Addressed, segment: ParsedTcp, first?: number): void {
  const { effects } = net;
  const { tcp } = net.state;
  const service = serviceAt(net, ip.destination, segment.destinationPort);
  const isFirst = (segment.flags & (SYN | FIN | RST | URG | ACK)) === SYN;
  const isLive = isFirst && service === undefined && isOutside(net, ip.destination, segment.destinationPort);
  if (isFirst && !isLive && !refuses(net, ip.destination)) {
    sendIcmpError(net, ip, isIpv4(ip) ? NO_NETWORK : NO_ROUTE);
    return;
  }
  const program = isFirst ? programAt(net, ip.destination, segment.destinationPort) : undefined;
  const kind = isLive ? 'live' : program !== undefined ? 'program' : service?.kind;
  if (!isFirst || kind === undefined || !hasPlace(net)) {
    refuse(net, ip, segment);
    return;
  }
  const id = tcp.opened + 1;
  const offers = mssOnWay(net, ip.destination);
  effects.raise({
    ...{
      kind: 'sim:tcp_opened',
      dev: effects.name,
      connection: id,
      active: false,
      service: kind,
      at: effects.now,
    },
    ...{ guest: addressText(ip.source), guest_port: segment.sourcePort },
    ...{ host: addressText(ip.destination), host_port: segment.destinationPort },
    ...{ first: first ?? nextFirst(tcp, effects.now), guest_first: segment.sequence },
    ...{
      mss: agreedOn(isLive ? Math.min(offers, LIVE_MSS) : offers, segment.options),
      offers,
      tos: tosOf(segment, ip),
    },
    stall: service?.stallAfter ?? 0,
  });
  if (isLive) openSocket(net, id, ip.destination, segment.destinationPort);
  else output(net, id);
  if (program !== undefined) runProgram(net, id, program);
}

/** Whether there is a place for one more, which the oldest in TIME-WAIT makes if there must be one. */
function hasPlace(net: UserNet): boolean {
  const { connections } = net.state.tcp;
  const ids = Object.keys(connections).map(Number);
  if (ids.length < MOST_CONNECTIONS) return true;
  const over = ids.find((id) => connections[id]!.phase === 'time-wait');
  if (over !== undefined) close(net, over, 'its place is needed');
  return over !== undefined;
}

const LOW_DELAY = 0x10;
const THROUGHPUT = 8;

/** slirp's tcptos, by the host's port. */
const TOS: Readonly<Record<number, number>> = {
  ...{ 20: THROUGHPUT, 80: THROUGHPUT, 6667: THROUGHPUT, 6668: THROUGHPUT },
  ...{ 21: LOW_DELAY, 23: LOW_DELAY, 113: LOW_DELAY, 513: LOW_DELAY, 543: LOW_DELAY, 544: LOW_DELAY, 7070: LOW_DELAY },
};

const tosOf = (segment: { readonly destinationPort: number }, ip?: Addressed): number =>
  TOS[segment.destinationPort] ?? (ip !== undefined && 'tos' in ip ? ip.tos : 0);

/** What comes back for a connection a host began. */
function answered(net: UserNet, id: number, connection: Connection, ip: Addressed, segment: ParsedTcp): void {
  const { acknowledgment, flags } = segment;
  const hasAck = (flags & ACK) !== 0;
  const isOurs = isAfter(acknowledgment, connection.first) && !isAfter(acknowledgment, connection.sentTo);
  if (hasAck && !isOurs) refuse(net, ip, segment);
  else if ((flags & RST) !== 0 && hasAck) close(net, id, 'refused by the guest');
  else if ((flags & (RST | SYN)) === SYN) {
    const mss = agreedOn(connection.mss, segment.options);
    take(net, id, { ...counted(segment), seq: plus(segment.sequence, 1), mss });
  }
}

/** Of a segment, what counts: cut of what came before, and of what nobody has room for. */
interface Counted {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly payload: Uint8Array;
  /** Bytes cut off, or 1 for a FIN. */
  readonly cut: number;
  readonly mss: number;
}

const counted = ({ sequence, acknowledgment, flags, window, payload }: ParsedTcp): Counted => ({
  ...{ seq: sequence, ack: acknowledgment, flags, window, payload, cut: 0, mss: 0 },
});

/** Without what came before. A FIN that came before is cut as well. */
function cutOld(connection: Connection, segment: Counted): Counted {
  const old = distance(segment.seq, connection.awaited);
  if (old <= 0) return segment;
  const syn = (segment.flags & SYN) === 0 ? 0 : 1;
  const { length } = segment.payload;
  const isAllOld = old - syn > length || (old - syn === length && (segment.flags & FIN) === 0);
  const flags = segment.flags & ~(SYN | (isAllOld ? FIN : 0));
  const payload = isAllOld ? NOTHING : segment.payload.subarray(old - syn);
  return { ...segment, seq: connection.awaited, flags, payload, cut: isAllOld ? Math.max(length, 1) : old - syn };
}

/** Without what lies behind the window; undefined: all of it does. */
function cutFar(connection: Connection, segment: Counted): Counted | undefined {
  const { length } = segment.payload;
  const far = distance(connection.offeredTo, plus(segment.seq, length));
  if (far <= 0) return segment;
  const isAtEdge = connection.awaited === connection.offeredTo && segment.seq === connection.awaited;
  if (far >= length && !isAtEdge) return undefined;
  const kept = Math.max(length - far, 0);
  const payload = segment.payload.subarray(0, kept);
  return { ...segment, payload, flags: segment.flags & ~FIN, cut: segment.cut + length - kept };
}

/** In every phase but before both have agreed. */
function belongs(net: UserNet, id: number, connection: Connection, ip: Addressed, segment: ParsedTcp): void {
  const { flags, sequence } = segment;
  const isSyn = (flags & (SYN | RST | ACK)) === SYN;
  if (isSyn && connection.phase === 'time-wait' && isAfter(sequence, connection.awaited)) {
    // slirp takes the new one for the old, and counts on from there.
    close(net, id, 'another one begins');
    begin(net, ip, segment, plus(connection.awaited, 2 * 64_000));
    return;
  }
  const whole = cutFar(connection, cutOld(connection, counted(segment)));
  if (whole === undefined) {
    if ((flags & RST) === 0) output(net, id, 'acknowledge');
  } else if ((whole.flags & RST) !== 0) {
    close(net, id, 'reset by the guest');
  } else if ((whole.flags & SYN) !== 0) {
    reset(net, connection);
    close(net, id, 'a SYN amid it');
  } else if ((whole.flags & ACK) === 0) {
    if (isOpening(connection)) output(net, id, 'acknowledge');
  } else acknowledges(net, id, connection, ip, segment, whole);
}

function acknowledges(
  net: UserNet,
  id: number,
  connection: Connection,
  ip: Addressed,
  segment: ParsedTcp,
  whole: Counted,
): void {
  const isAhead = isAfter(whole.ack, connection.sentTo);
  const isOld = connection.phase === 'syn-received' && !isAfter(whole.ack, connection.first);
  if (isOpening(connection) && (isAhead || isOld)) refuse(net, ip, segment);
  else if (isAhead) output(net, id, 'acknowledge');
  else take(net, id, whole);
}

/** It counts: put it on record, answer it, and let the host have its say. */
function take(net: UserNet, id: number, { payload, ...segment }: Counted): void {
  const { effects, state } = net;
  const before = state.tcp.connections[id]!;
  const wasOpening = isOpening(before);
  const old = sendingOf(before);
  effects.raise({
    ...{ kind: 'sim:tcp_received', dev: effects.name, connection: id, ...segment, length: payload.length },
    ...{ offset: placeOf(net, payload), at: effects.now },
  });
  const connection = state.tcp.connections[id]!;
  if (connection.phase === 'closed') {
    close(net, id, 'done');
    return;
  }
  if (wasOpening && !isOpening(connection)) {
    effects.raise({ kind: 'sim:tcp_established', dev: effects.name, connection: id });
  }
  const reason = sendingOf(connection) === old ? 'quiet' : 'usual';
  output(net, id, reason);
  serve(net, id, reason);
}

/** What a segment changes that lets more be sent: slirp's needoutput. */
const sendingOf = (connection: Connection): string =>
  `${connection.unacknowledged} ${connection.window} ${connection.windowSequence} ${connection.windowAcknowledgment}`;
