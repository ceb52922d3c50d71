/** Datagrams between a guest and sockets of the host's. */
import type { EventOf } from '../../events/vocabulary.ts';
import type { Ends } from '../../packets/checksum.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { NOTHING } from '../../packets/layout.ts';
import { buildUdp, type UdpDatagram } from '../../packets/udp.ts';
import { type Address, addressText } from '../tcp/connection.ts';
import type { Addressed, UserNet } from '../user/part.ts';
import { arrival, placeOf } from '../user/part.ts';
import { sendIp } from '../user/send.ts';
import { isAllowed, outsideOf } from './allowed.ts';
import { MOST_WAYS, type Way } from './state.ts';
import { guestOf, seenAs } from './streams.ts';
import { ERRNO, tellUnreachable } from './unreachable.ts';

/** libslirp's SO_EXPIRE: nobody has used a way for so long. Nanoseconds. */
const FORGOTTEN_AFTER = 240_000_000_000;

interface DatagramEnds {
  readonly guest: Address;
  readonly guestPort: number;
  readonly host: Address;
  readonly hostPort: number;
}

const wayBetween = ({ state }: UserNet, ends: DatagramEnds): Way | undefined =>
  state.live.ways.find(
    ({ guest, guestPort, host, hostPort }) =>
      guest === ends.guest && guestPort === ends.guestPort && host === ends.host && hostPort === ends.hostPort,
  );

/** Make place for one more way. */
function forget(net: UserNet): void {
  const { effects, state } = net;
  const old = state.live.ways.filter(({ at }) => effects.now - at > FORGOTTEN_AFTER);
  const unused =
    state.live.ways.length - old.length < MOST_WAYS ? [] : [...state.live.ways].sort((a, b) => a.at - b.at);
  for (const { way } of [...old, ...unused.slice(0, 1)]) {
    effects.raise({ kind: 'sim:way_closed', dev: effects.name, way });
  }
}

/** The number of the way between two ends, which is opened if there is none. */
function opened(net: UserNet, ends: DatagramEnds, to: Address, forward: number): number {
  const known = wayBetween(net, ends);
  if (known !== undefined) return known.way;
  forget(net);
  const { effects } = net;
  const way = net.state.live.numbered + 1;
  effects.raise({
    ...{ kind: 'sim:way_opened', dev: effects.name, way, guest: addressText(ends.guest), guest_port: ends.guestPort },
    ...{ host: addressText(ends.host), host_port: ends.hostPort, to: addressText(to), forward, at: effects.now },
  });
  return way;
}

/** Whether a datagram of the guest's goes to the host, to somebody a person has named or who has come by himself. */
export function sentOutside(net: UserNet, ip: Addressed, datagram: UdpDatagram): boolean {
  const { effects } = net;
  const ends = {
    ...{ guest: ip.source, guestPort: datagram.sourcePort },
    ...{ host: ip.destination, hostPort: datagram.destinationPort },
  };
  const isKnown = wayBetween(net, ends) !== undefined;
  const to = outsideOf(net, ip.destination);
  if (!isKnown && (to === undefined || !isAllowed(net, ip.destination, ends.hostPort))) return false;
  const way = opened(net, ends, to ?? ip.destination, 0);
  const { payload } = datagram;
  const place = { offset: placeOf(net, payload), length: payload.length };
  effects.raise({ kind: 'sim:datagram_sent', dev: effects.name, way, at: effects.now, ...place });
  return true;
}

const endsOf = ({ guest, host }: DatagramEnds): Ends =>
  ({ source: host, destination: guest, protocol: IP_PROTOCOLS.UDP }) as Ends;

/** The largest of IPv4 (RFC 768). */
const LONGEST = 65_507;

function toGuest(net: UserNet, ends: DatagramEnds, bytes: Uint8Array): void {
  const between = endsOf(ends);
  const payload = bytes.subarray(0, LONGEST);
  const datagram = buildUdp({ sourcePort: ends.hostPort, destinationPort: ends.guestPort, payload }, between);
  sendIp(net, { ...between, payload: datagram, due: arrival(net, datagram.length) });
}

/** A datagram for the guest, from whom its own went to. */
export function datagramCame(net: UserNet, { way, bytes }: EventOf<'sim:datagram_received'>): void {
  const found = net.state.live.ways.find((each) => each.way === way);
  if (found !== undefined) toGuest(net, found, bytes);
}

/** The guest's last one came to nothing. */
export function datagramFailed(net: UserNet, { way, errno }: EventOf<'sim:datagram_refused'>): void {
  const found = net.state.live.ways.find((each) => each.way === way);
  const isTold = errno === ERRNO.ECONNREFUSED || errno === ERRNO.ENETUNREACH || errno === ERRNO.EHOSTUNREACH;
  if (found === undefined || !isTold) return;
  const ends = { source: found.guest, destination: found.host, protocol: IP_PROTOCOLS.UDP } as Ends;
  const ports = { sourcePort: found.guestPort, destinationPort: found.hostPort };
  tellUnreachable(net, ends, buildUdp({ ...ports, payload: NOTHING }, ends), errno);
}

/** One has come to a port of the host's. */
export function datagramVisited(net: UserNet, { forward, host, port, bytes }: EventOf<'sim:datagram_accepted'>): void {
  const guest = guestOf(net, forward);
  const from = seenAs(net, host);
  if (guest === undefined || typeof from !== 'number') return;
  const ends = { guest: guest.address, guestPort: guest.port, host: from, hostPort: port };
  opened(net, ends, from, forward);
  toGuest(net, ends, bytes);
}
