/** The way between the hosts of a world and the guest, and what may happen to packets there. */
import type { Ns } from '../../base/units.ts';
import { ICMP_TYPES, UNREACHABLE_CODES } from '../../packets/icmp.ts';
import { ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { IPV4_HEADER } from '../../packets/ipv4.ts';
import { IPV6_HEADER } from '../../packets/ipv6.ts';
import { TCP_HEADER } from '../../packets/tcp.ts';
import { delayOf, happens } from '../chance.ts';
import { type Address, addressText } from '../tcp/connection.ts';
import { type Addressed, isIpv4, type UserNet } from '../user/part.ts';
import { type Outgoing, sendIcmpError, sendIp } from '../user/send.ts';
import { linkTo } from './world.ts';

/** What a packet of IP may have on a wire of Ethernet. */
const MOST_MTU = 1500;

/** Bytes of the largest packet on the way to a host. */
const mtuOf = ({ setup }: UserNet, host: Address): number => linkTo(setup.world, host).mtu ?? MOST_MTU;

/** Most bytes of a segment of TCP there. */
export const mssOnWay = (net: UserNet, host: Address): number => mtuOf(net, host) - lengthOf(host, TCP_HEADER);

const lengthOf = (host: Address, payload: number): number =>
  payload + (typeof host === 'number' ? IPV4_HEADER : IPV6_HEADER);

const SECOND = 1_000_000_000;

/** When a packet is at the guest that a host sends now behind others, the last of which is there at `after`. */
export function arrivalAfter({ setup, effects }: UserNet, host: Address, payload: number, after: Ns): Ns {
  const { latency = 0, bandwidth } = linkTo(setup.world, host);
  const length = lengthOf(host, payload);
  const hop = effects.travel(0);
  const limited = bandwidth === undefined ? 0 : Math.ceil((length * 8 * SECOND) / bandwidth);
  return Math.max(after, effects.now + hop + latency) + (effects.travel(length) - hop) + limited;
}

/** Whether a packet of the guest's comes to a host: what is too large for the way is told so, RFC 1191 and 8201. */
export function comesThrough(net: UserNet, ip: Addressed): boolean {
  const host = ip.destination;
  const length = lengthOf(host, ip.payload.length);
  const mtu = mtuOf(net, host);
  if (length > mtu && (!isIpv4(ip) || ip.dontFragment)) {
    sendIcmpError(net, ip, { ...(isIpv4(ip) ? NEEDS_FRAGMENTS : TOO_BIG), mtu });
    return false;
  }
  if (!happens(net.effects, 'net.loss.guest', linkTo(net.setup.world, host).loss)) return true;
  tell(net, 'sim:link_lost', { host, from: 'guest', length });
  return false;
}

const NEEDS_FRAGMENTS = { type: ICMP_TYPES.UNREACHABLE, code: UNREACHABLE_CODES.FRAGMENTATION_NEEDED };
const TOO_BIG = { type: ICMPV6_TYPES.TOO_BIG, code: 0 };

interface Told {
  readonly host: Address;
  readonly from: 'guest' | 'host';
  readonly length: number;
}

function tell({ effects }: UserNet, kind: 'sim:link_lost' | 'sim:link_duplicated', { host, from, length }: Told): void {
  effects.raise({ kind, dev: effects.name, host: addressText(host), from, length });
}

/** What a host answers to a packet of the guest's, if that comes to it. */
export function answerFrom(net: UserNet, ip: Addressed, answer: Outgoing<number> | Outgoing<bigint>): void {
  if (!comesThrough(net, ip)) return;
  carry(net, answer, arrivalAfter(net, answer.source, answer.payload.length, 0));
}

/** A host's packet on its way, which is at the guest at `arrives` if nothing happens to it. */
export function carry(net: UserNet, packet: Outgoing<number> | Outgoing<bigint>, arrives: Ns): void {
  const { effects, setup } = net;
  const rules = linkTo(setup.world, packet.source);
  const told: Told = { host: packet.source, from: 'host', length: lengthOf(packet.source, packet.payload.length) };
  if (happens(effects, 'net.loss.host', rules.loss)) {
    tell(net, 'sim:link_lost', told);
    return;
  }
  const by = delayOf(effects, 'net', rules);
  if (by > 0) {
    effects.raise({ kind: 'sim:link_delayed', dev: effects.name, ...told, host: addressText(told.host), by });
  }
  const due = arrives + by;
  const onItsWay = due > effects.now ? { ...packet, due } : packet;
  sendIp(net, onItsWay);
  if (!happens(effects, 'net.duplicate', rules.duplicate)) return;
  tell(net, 'sim:link_duplicated', told);
  sendIp(net, onItsWay);
}
