import { transportChecksum } from '../../packets/checksum.ts';
import { buildIcmpv6, ICMPV6_TYPES, type Icmpv6Message, parseIcmpv6 } from '../../packets/icmpv6.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import type { Ipv6Packet } from '../../packets/ipv6.ts';
import { buildAdvertisement, buildRouterAdvertisement, ethernetOption, ND_OPTIONS } from '../../packets/nd.ts';
import { parseAdvertisement, prefixOption, solicitedBy } from '../../packets/nd.ts';
import { answerFrom, isHost } from '../world/index.ts';
import { ethernetAt, isGroup6, learn } from './link.ts';
import { sharesPrefix } from './network.ts';
import type { UserNet } from './part.ts';
import { LINK_LOCAL, sendIp } from './send.ts';

/** All on the link. */
export const ALL_NODES = 0xff02_0000_0000_0000_0000_0000_0000_0001n;
const SOLICITED_NODES = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;
const SOLICITED_LENGTH = 104;

/** What neighbors say of each other comes from the link itself. */
const FROM_LINK = 255;

const HOP_LIMIT = 64;
/** Seconds: of the router, of its prefix, and of preferring that. */
const ROUTER_LIFETIME = 1800;
const PREFIX_LIFETIME = 86_400;
const PREFERRED_LIFETIME = 14_400;

/**
 * When the router speaks of itself again, in nanoseconds. libslirp draws it from 200 to 600 seconds; here it is the
 * middle, and begins when a guest has asked for a router: nobody hears it before.
 */
export const ADVERTISEMENT_INTERVAL = 400_000_000_000;

/** The timer that does. */
export const ROUTER_TIMER = 'router';

/** Whether two addresses have the same bits after the first. */
const sharesRest = (a: bigint, b: bigint, length: number): boolean => BigInt.asUintN(128 - length, a ^ b) === 0n;

/** Whether an address is the gateway's or the resolver's, in the network or on the link. */
function isOurs({ network }: UserNet, address: bigint): boolean {
  const { prefix6, prefixLength, host6, dns6 } = network;
  const isIn = (prefix: bigint, length: number): boolean =>
    sharesPrefix(address, prefix, length) && [host6, dns6].some((own) => sharesRest(address, own, length));
  return isIn(prefix6, prefixLength) || isIn(LINK_LOCAL, 64);
}

function say(net: UserNet, source: bigint, destination: bigint, message: Icmpv6Message): void {
  const payload = buildIcmpv6(message, source, destination);
  sendIp(net, { source, destination, protocol: IP_PROTOCOLS.ICMPV6, payload });
}

/** The router speaks of itself to all. */
export function advertiseRouter(net: UserNet): void {
  const { prefix6, prefixLength } = net.network;
  const options = [
    ethernetOption(ND_OPTIONS.SOURCE_ETHERNET, ethernetAt(LINK_LOCAL)),
    prefixOption(prefix6, prefixLength, PREFIX_LIFETIME, PREFERRED_LIFETIME),
  ];
  const body = buildRouterAdvertisement({ hopLimit: HOP_LIMIT, lifetime: ROUTER_LIFETIME, options });
  say(net, LINK_LOCAL, ALL_NODES, { type: ICMPV6_TYPES.ROUTER_ADVERTISEMENT, code: 0, body });
}

function advertiseAgain({ effects }: UserNet): void {
  if (effects.deadline(ROUTER_TIMER) === undefined) effects.arm(ROUTER_TIMER, effects.now + ADVERTISEMENT_INTERVAL);
}

/** Somebody asks who has an address. */
function solicited(net: UserNet, packet: Ipv6Packet, message: Icmpv6Message, ethernet: number): void {
  const target = solicitedBy(message.body);
  const { source, destination: to } = packet;
  const isMeant = source !== 0n || sharesPrefix(to, SOLICITED_NODES, SOLICITED_LENGTH);
  if (target === undefined || isGroup6(target) || !isMeant) return;
  const isRouter = isOurs(net, target);
  if (!isRouter && !isHost(net, target)) return;
  learn(net, source, ethernet);
  const destination = source === 0n ? ALL_NODES : source;
  const said = { isRouter, isSolicited: !isGroup6(destination), overrides: true, target };
  const body = buildAdvertisement(said, ethernetAt(target));
  say(net, target, destination, { type: ICMPV6_TYPES.NEIGHBOR_ADVERTISEMENT, code: 0, body });
}

/** What neighbors say of each other. */
function receiveDiscovery(net: UserNet, packet: Ipv6Packet, message: Icmpv6Message, ethernet: number): void {
  if (packet.hopLimit !== FROM_LINK || message.code !== 0) return;
  if (message.type === ICMPV6_TYPES.NEIGHBOR_SOLICITATION) {
    solicited(net, packet, message, ethernet);
  } else if (message.type === ICMPV6_TYPES.ROUTER_SOLICITATION && message.body.length >= 4) {
    learn(net, packet.source, ethernet);
    advertiseRouter(net);
    advertiseAgain(net);
  } else if (message.type === ICMPV6_TYPES.NEIGHBOR_ADVERTISEMENT) {
    const said = parseAdvertisement(message.body);
    const isSound = said !== undefined && !isGroup6(said.target) && !(said.isSolicited && isGroup6(packet.destination));
    if (isSound) learn(net, packet.source, ethernet);
  }
}

/** A message of the guest's, who is at an Ethernet address. */
export function receiveIcmpv6(net: UserNet, packet: Ipv6Packet, ethernet: number): void {
  const message = parseIcmpv6(packet.payload);
  if (message === undefined || transportChecksum(packet, packet.payload) !== 0) return;
  if (message.type !== ICMPV6_TYPES.ECHO_REQUEST) {
    receiveDiscovery(net, packet, message, ethernet);
    return;
  }
  const { source, destination } = packet;
  const reply = { ...message, type: ICMPV6_TYPES.ECHO_REPLY };
  if (isOurs(net, destination)) say(net, destination, source, reply);
  else if (isHost(net, destination)) {
    const payload = buildIcmpv6(reply, destination, source);
    const ends = { source: destination, destination: source, protocol: IP_PROTOCOLS.ICMPV6 };
    answerFrom(net, packet, { ...ends, payload });
  }
}
