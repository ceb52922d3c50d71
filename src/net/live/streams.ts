/** Connections of a guest whose other end is a socket of the host's. */
import type { EventOf } from '../../events/vocabulary.ts';
import { ipv4Of, ipv4Text, ipv6Of } from '../../packets/addresses.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { NOTHING } from '../../packets/layout.ts';
import { buildTcp, TCP_FLAGS } from '../../packets/tcp.ts';
import type { Ends } from '../../packets/checksum.ts';
import { close } from '../tcp/close.ts';
import { type Address, addressText, type Connection, guestFinished, MOST_CONNECTIONS } from '../tcp/connection.ts';
import { output, reset } from '../tcp/output.ts';
import { plus } from '../tcp/sequence.ts';
import { nextFirst } from '../tcp/state.ts';
import type { UserNet } from '../user/part.ts';
import type { LiveState } from '../world/app-state.ts';
import { mssOnWay } from '../world/link.ts';
import { askSocket } from './ask.ts';
import { MOST_SAID } from './evolve.ts';
import { outsideOf } from './allowed.ts';
import { ERRNO, tellUnreachable } from './unreachable.ts';

/** A connection has begun whose other end the host is to connect to. */
export function openSocket(net: UserNet, connection: number, address: Address, port: number): void {
  const { effects } = net;
  const host = addressText(outsideOf(net, address) ?? address);
  effects.raise({ kind: 'sim:socket_asked', dev: effects.name, connection, what: 'open', host, port, length: 0 });
}

/** A connection has begun whose other end is a program that the host is to run. */
export function runProgram({ effects }: UserNet, connection: number, program: string): void {
  const asked = { kind: 'sim:socket_asked', dev: effects.name, connection } as const;
  effects.raise({ ...asked, what: 'run', host: program, port: 0, length: 0 });
}

/** Its state; undefined: there is no such connection any more. */
function socketOf(net: UserNet, id: number): LiveState | undefined {
  const app = net.state.tcp.connections[id]?.app;
  return app?.kind === 'live' ? app : undefined;
}

/** Hand on what the guest has said, and ask for as much as there is room for. */
export function serveSocket(net: UserNet, id: number): void {
  const { effects } = net;
  const app = socketOf(net, id);
  if (app?.socket !== 'open') return;
  if (app.heard !== '') {
    effects.raise({ kind: 'sim:socket_sent', dev: effects.name, connection: id, length: app.heard.length });
  }
  const connection = net.state.tcp.connections[id]!;
  if (guestFinished(connection) && !app.isShut) askSocket(net, id, 'shut');
  const room = MOST_SAID - connection.queued - app.credit;
  // Not for a few bytes at a time.
  if (room >= MOST_SAID / 2) askSocket(net, id, 'more', room);
}

/** An input of a connection's socket, which is in the state already. */
export function socketSaid(
  net: UserNet,
  input: EventOf<
    'sim:socket_opened' | 'sim:socket_data' | 'sim:socket_taken' | 'sim:socket_ended' | 'sim:socket_reset'
  >,
): void {
  const id = input.connection;
  const connection = net.state.tcp.connections[id];
  if (connection?.app.kind !== 'live') return;
  if (input.kind === 'sim:socket_reset') {
    reset(net, connection);
    close(net, id, 'reset by the host');
  } else if (input.kind === 'sim:socket_opened' && connection.app.socket === 'gone') {
    failed(net, id, connection, input.errno);
  } else {
    output(net, id);
    if (connection.phase !== 'syn-received') serveSocket(net, id);
  }
}

/** Nobody is there, or there is no way: a reset, or what ICMP has for it. */
function failed(net: UserNet, id: number, connection: Connection, errno: number): void {
  if (errno === ERRNO.ENETUNREACH || errno === ERRNO.EHOSTUNREACH) {
    const { guest, guestPort, host, hostPort, awaited } = connection;
    const ends = { source: guest, destination: host, protocol: IP_PROTOCOLS.TCP } as Ends;
    const header = { sequence: plus(awaited, -1), acknowledgment: 0, flags: TCP_FLAGS.SYN, window: 0, urgent: 0 };
    const ports = { sourcePort: guestPort, destinationPort: hostPort };
    const bytes = buildTcp({ ...header, ...ports, options: NOTHING, payload: NOTHING }, ends);
    tellUnreachable(net, ends, bytes, errno);
  } else {
    reset(net, connection);
  }
  close(net, id, `not reached: errno ${errno}`);
}

/** Whom the guest sees in a visitor: what comes from the host itself comes from the gateway. */
export function seenAs({ network }: UserNet, text: string): Address | undefined {
  const address = ipv4Of(text) ?? (ipv6Of(text) === 1n ? network.host : ipv6Of(text));
  const isLocal = typeof address === 'number' && (address >>> 24 === 127 || address === 0);
  return isLocal ? network.host : address;
}

/** Whom a rule of `hostfwd=` leads to, counted from 1. */
export function guestOf({ network }: UserNet, forward: number): { address: number; port: number } | undefined {
  const rule = network.hostForwards[forward - 1];
  if (rule === undefined) return undefined;
  return { address: rule.guestAddress === 0 ? network.dhcpStart : rule.guestAddress, port: rule.guestPort };
}

/** Somebody has come to a port of the host's: a connection to the guest begins. */
export function visited(net: UserNet, { visitor, forward, host, port }: EventOf<'sim:socket_accepted'>): void {
  const { effects } = net;
  const { tcp } = net.state;
  const guest = guestOf(net, forward);
  const from = seenAs(net, host);
  const all = Object.entries(tcp.connections);
  const isTaken = all.some(
    ([, each]) =>
      each.host === from && each.hostPort === port && each.guest === guest?.address && each.guestPort === guest?.port,
  );
  if (guest === undefined || typeof from !== 'number' || isTaken || all.length >= MOST_CONNECTIONS) {
    effects.raise({ kind: 'sim:socket_joined', dev: effects.name, connection: 0, visitor });
    return;
  }
  const id = tcp.opened + 1;
  const offers = mssOnWay(net, from);
  effects.raise({ kind: 'sim:socket_joined', dev: effects.name, connection: id, visitor });
  effects.raise({
    ...{ kind: 'sim:tcp_opened', dev: effects.name, connection: id, active: true, service: 'visitor' },
    ...{ guest: ipv4Text(guest.address), guest_port: guest.port, host: ipv4Text(from), host_port: port },
    ...{ first: nextFirst(tcp, effects.now), guest_first: 0, tos: 0, stall: 0, at: effects.now, mss: offers, offers },
  });
  output(net, id);
}
