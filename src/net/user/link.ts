import { fromLatin1 } from '../../base/bytes.ts';
import type { Ns } from '../../base/units.ts';
import { ETHERNET_BROADCAST, ethernetText, IPV4_BROADCAST, ipv4Text, ipv6Text } from '../../packets/addresses.ts';
import { ARP_OPERATIONS, buildArp } from '../../packets/arp.ts';
import { buildEthernet, ETHERTYPES } from '../../packets/ethernet.ts';
import { buildIcmpv6, ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { buildIpv6 } from '../../packets/ipv6.ts';
import { joined } from '../../packets/layout.ts';
import { buildSolicitation } from '../../packets/nd.ts';
import type { Network } from './network.ts';
import type { UserNet } from './part.ts';

/** The first two bytes of Ethernet addresses that are made up: of IPv4 and IPv6. */
const MADE_OF_IPV4 = 0x5255_0000_0000;
const MADE_OF_IPV6 = 0x5256_0000_0000;
const MADE_OF_GROUP = 0x3333_0000_0000;

/** Nobody in particular. */
const ANYBODY = 0;

/** Bytes of the shortest frame, without its check sequence. */
const SHORTEST = 60;
/** How long a packet waits for somebody to say where its destination is: nanoseconds. */
const PATIENCE = 1_000_000_000;

const LINK_LOCAL_NODES = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;

const low32 = (address: bigint): number => Number(address & 0xffff_ffffn);

/** Where somebody whom user networking plays is on the link. */
export const ethernetAt = (address: number | bigint): number =>
  typeof address === 'number' ? MADE_OF_IPV4 + address : MADE_OF_IPV6 + low32(address);

/** Whether an address of IPv6 is of a group. */
export const isGroup6 = (address: bigint): boolean => address >> 120n === 0xffn;

/** An address as text. */
export const addressText = (address: number | bigint): string =>
  typeof address === 'number' ? ipv4Text(address) : ipv6Text(address);

/** Whether all on the link are meant, or nobody. */
const isEverybody = ({ network, mask }: Network, address: number): boolean =>
  address === ANYBODY || address === IPV4_BROADCAST || address === (network | ~mask) >>> 0;

/** Where an address is on the link, as far as it is known. */
function whereIs({ network, state }: UserNet, address: number | bigint): number | undefined {
  if (typeof address === 'number') {
    if (isEverybody(network, address)) return ETHERNET_BROADCAST;
    return state.arp.known.find((neighbor) => neighbor.address === address)?.ethernet;
  }
  if (address === 0n) return ETHERNET_BROADCAST;
  if (isGroup6(address)) return MADE_OF_GROUP + low32(address);
  return state.ndp.known.find((neighbor) => neighbor.address === address)?.ethernet;
}

/** Somebody was heard: from now on it is known where. */
export function learn(net: UserNet, address: number | bigint, ethernet: number): void {
  const isNobody =
    typeof address === 'number' ? isEverybody(net.network, address) : address === 0n || isGroup6(address);
  if (isNobody || whereIs(net, address) === ethernet) return;
  const { effects } = net;
  const said = { address: addressText(address), ethernet: ethernetText(ethernet) };
  effects.raise({ kind: 'sim:neighbor_learned', dev: effects.name, ...said });
}

/** Send a frame: QEMU fills it up for whoever wants it as long as a wire's. */
export function sendFrame({ effects }: UserNet, frame: Uint8Array, due?: Ns): void {
  const isShort = frame.length < SHORTEST && effects.peer?.takesShort !== true;
  effects.sendPacket(isShort ? joined(frame, new Uint8Array(SHORTEST - frame.length)) : frame, due);
}

/** Ask all on the link who has an address. */
function ask(net: UserNet, address: number | bigint): void {
  const { host, host6 } = net.network;
  if (typeof address === 'bigint') {
    const destination = LINK_LOCAL_NODES | (address & 0xff_ffffn);
    const body = buildSolicitation(address, ethernetAt(host6));
    const message = { type: ICMPV6_TYPES.NEIGHBOR_SOLICITATION, code: 0, body };
    const payload = buildIcmpv6(message, host6, destination);
    sendFrame(net, framed6(host6, destination, IP_PROTOCOLS.ICMPV6, payload, MADE_OF_GROUP + low32(destination)));
    return;
  }
  const source = ethernetAt(host);
  const sender = { operation: ARP_OPERATIONS.REQUEST, senderEthernet: source, senderIpv4: host };
  const payload = buildArp({ ...sender, targetEthernet: 0, targetIpv4: address });
  sendFrame(net, buildEthernet({ destination: ETHERNET_BROADCAST, source, type: ETHERTYPES.ARP, payload }));
}

/** Its hop limit is 255, always. */
function framed6(
  source: bigint,
  destination: bigint,
  protocol: number,
  payload: Uint8Array,
  ethernet: number,
): Uint8Array {
  const packet = buildIpv6({ trafficClass: 0, flowLabel: 0, hopLimit: 255, protocol, source, destination, payload });
  const ends = { destination: ethernet, source: ethernetAt(source) };
  return buildEthernet({ ...ends, type: ETHERTYPES.IPV6, payload: packet });
}

/**
 * Send a packet of IP to somebody on the link: it waits if nobody knows where that is. What waits already goes before
 * it, if it can.
 */
export function sendPacket(net: UserNet, address: number | bigint, packet: Uint8Array, due?: Ns): void {
  const { effects, state } = net;
  if (state.unresolved.length > 0) sendResolved(net);
  const destination = whereIs(net, address);
  if (destination !== undefined) {
    sendFrame(net, enclosed(net, address, packet, destination), due);
    return;
  }
  const waits = { address: addressText(address), bytes: packet, until: effects.now + PATIENCE };
  effects.raise({ kind: 'sim:packet_unresolved', dev: effects.name, ...waits });
  ask(net, address);
}

/** In a frame. What IPv4 sends is from the gateway on the link, whoever it is from. */
function enclosed(net: UserNet, address: number | bigint, packet: Uint8Array, destination: number): Uint8Array {
  if (typeof address === 'number') {
    const source = ethernetAt(net.network.host);
    return buildEthernet({ destination, source, type: ETHERTYPES.IPV4, payload: packet });
  }
  const source = MADE_OF_IPV6 + new DataView(packet.buffer, packet.byteOffset).getUint32(20);
  return buildEthernet({ destination, source, type: ETHERTYPES.IPV6, payload: packet });
}

/** What waited for somebody who was heard now goes, unless it is too old. */
export function sendResolved(net: UserNet): void {
  const { effects, state } = net;
  const found = state.unresolved.filter(({ address }) => whereIs(net, address) !== undefined);
  for (const address of new Set(found.map((packet) => packet.address))) {
    effects.raise({ kind: 'sim:packets_resolved', dev: effects.name, address: addressText(address) });
  }
  for (const { address, bytes, until } of found) {
    if (until >= effects.now) sendPacket(net, address, fromLatin1(bytes));
  }
}
