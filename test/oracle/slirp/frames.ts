/** Frames of a guest's, sound ones and odd ones. */
import { ethernetOf, ipv4Of, ipv6Of } from '../../../src/packets/addresses.ts';
import { buildArp } from '../../../src/packets/arp.ts';
import { internetChecksum } from '../../../src/packets/checksum.ts';
import { BOOTP_OPERATIONS, buildDhcp, DHCP_OPTIONS, type DhcpOption } from '../../../src/packets/dhcp.ts';
import { buildEthernet, ETHERTYPES } from '../../../src/packets/ethernet.ts';
import { buildIcmp, ICMP_TYPES } from '../../../src/packets/icmp.ts';
import { buildIcmpv6 } from '../../../src/packets/icmpv6.ts';
import { buildIpv4, IP_PROTOCOLS, type Ipv4Packet, WHOLE_IPV4 } from '../../../src/packets/ipv4.ts';
import { buildIpv6, type Ipv6Packet } from '../../../src/packets/ipv6.ts';
import { putNumber } from '../../../src/packets/layout.ts';
import { buildUdp } from '../../../src/packets/udp.ts';

export const GUEST = ethernetOf('52:54:00:12:34:56')!;
export const OTHER = ethernetOf('52:54:00:aa:bb:cc')!;
const GATEWAY = ethernetOf('52:55:0a:00:02:02')!;
const BROADCAST = 0xffff_ffff_ffff;

/** An address of IPv4 by its text. */
export const ip = (text: string): number => ipv4Of(text)!;
/** An address of IPv6. */
export const ip6 = (text: string): bigint => ipv6Of(text)!;

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** So many bytes that tell themselves apart. */
export const filler = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

/** The same with bytes changed: each at an offset. */
export function changed(frame: Uint8Array, ...changes: readonly (readonly [offset: number, byte: number])[]) {
  const copy = frame.slice();
  for (const [offset, byte] of changes) copy[offset] = byte;
  return copy;
}

interface Arp {
  readonly operation?: number;
  readonly sender?: string;
  readonly from?: number;
  readonly to?: number;
}

export const arp = (target: string, { operation = 1, sender = '10.0.2.15', from = GUEST, to = BROADCAST }: Arp = {}) =>
  buildEthernet({
    destination: to,
    source: from,
    type: ETHERTYPES.ARP,
    payload: buildArp({
      ...{ operation, senderEthernet: from, senderIpv4: ip(sender), targetEthernet: 0, targetIpv4: ip(target) },
    }),
  });

interface Ip extends Partial<Omit<Ipv4Packet, 'source' | 'destination'>> {
  readonly from?: string;
  readonly to?: string;
  readonly ethernet?: number;
}

/** A packet of IPv4 in its frame. */
export function ipv4({ from = '10.0.2.15', to = '10.0.2.2', ethernet = GUEST, ...given }: Ip): Uint8Array {
  const usual = { ...WHOLE_IPV4, id: 0x1234, ttl: 64, protocol: IP_PROTOCOLS.UDP, payload: new Uint8Array(0) };
  const packet = buildIpv4({ ...usual, ...given, source: ip(from), destination: ip(to) });
  return buildEthernet({ destination: GATEWAY, source: ethernet, type: ETHERTYPES.IPV4, payload: packet });
}

/** An echo request. */
export const echo = (length: number, packet: Ip = {}, code = 0): Uint8Array =>
  ipv4({ ...packet, protocol: IP_PROTOCOLS.ICMP, payload: echoMessage(length, code) });

export const echoMessage = (length: number, code = 0): Uint8Array =>
  buildIcmp({ type: ICMP_TYPES.ECHO_REQUEST, code, rest: 0x0102_0003, payload: filler(length) });

/** Another message of ICMP. */
export const icmp = (type: number, packet: Ip = {}): Uint8Array =>
  ipv4({ ...packet, protocol: IP_PROTOCOLS.ICMP, payload: buildIcmp({ type, code: 0, rest: 0, payload: filler(20) }) });

/** A datagram. */
export function udp(port: number, payload: Uint8Array, packet: Ip = {}, sourcePort = 4000): Uint8Array {
  const ends = { source: ip(packet.from ?? '10.0.2.15'), destination: ip(packet.to ?? '10.0.2.2') };
  const datagram = { sourcePort, destinationPort: port, payload };
  const protocol = IP_PROTOCOLS.UDP;
  return ipv4({ ...packet, protocol, payload: buildUdp(datagram, { ...ends, protocol }) });
}

/** A packet of ICMP cut into fragments of so many bytes. */
export function fragments(message: Uint8Array, size: number, packet: Ip = {}): Uint8Array[] {
  return Array.from({ length: Math.ceil(message.length / size) }, (_, at) =>
    ipv4({
      ...{ protocol: IP_PROTOCOLS.ICMP, ...packet },
      fragmentOffset: at * size,
      moreFragments: (at + 1) * size < message.length,
      payload: message.subarray(at * size, (at + 1) * size),
    }),
  );
}

/** With the header's checksum made anew after a change. */
export function soundIpv4(frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  const header = copy.subarray(14, 14 + (copy[14]! & 15) * 4);
  putNumber(header, 10, 2, 0);
  putNumber(header, 10, 2, internetChecksum(header));
  return copy;
}

interface Dhcp {
  readonly op?: number;
  readonly xid?: number;
  readonly client?: number;
  readonly ciaddr?: string;
  readonly options?: readonly DhcpOption[] | undefined;
  readonly to?: string;
  readonly least?: number;
}

/** A message of DHCP's: `type` 0 says none. */
export function dhcp(type: number, more: readonly DhcpOption[] = [], given: Dhcp = {}): Uint8Array {
  const { client = GUEST, xid = 0x1122_3344, to = '255.255.255.255', least = 300 } = given;
  const kind = type === 0 ? [] : [{ code: DHCP_OPTIONS.MESSAGE_TYPE, data: Uint8Array.of(type) }];
  const message = {
    ...{ op: given.op ?? BOOTP_OPERATIONS.REQUEST, xid, seconds: 3, flags: 0x8000, yourIpv4: 0, serverIpv4: 0 },
    ...{ clientIpv4: ip(given.ciaddr ?? '0.0.0.0'), relayIpv4: 0, clientEthernet: client, serverName: '', file: '' },
    options: 'options' in given ? given.options : [...kind, ...more],
  };
  return udp(67, buildDhcp(message, least), { from: '0.0.0.0', to, ethernet: client }, 68);
}

/** The option that asks for an address. */
export const wanted = (address: string): DhcpOption => {
  const data = new Uint8Array(4);
  putNumber(data, 0, 4, ip(address));
  return { code: DHCP_OPTIONS.REQUESTED_ADDRESS, data };
};

interface Ip6 extends Partial<Omit<Ipv6Packet, 'source' | 'destination'>> {
  readonly from?: string;
  readonly to?: string;
  readonly ethernet?: number;
}

export const GUEST6 = 'fe80::5054:ff:fe12:3456';

/** A packet of IPv6 in its frame. */
export function ipv6({ from = GUEST6, to = 'fec0::2', ethernet = GUEST, ...given }: Ip6): Uint8Array {
  const usual = { trafficClass: 0, flowLabel: 0, hopLimit: 255, protocol: 59, payload: new Uint8Array(0) };
  const packet = buildIpv6({ ...usual, ...given, source: ip6(from), destination: ip6(to) });
  return buildEthernet({ destination: 0x3333_0000_0002, source: ethernet, type: ETHERTYPES.IPV6, payload: packet });
}

/** A message of ICMPv6. */
export function icmp6(type: number, body: Uint8Array, packet: Ip6 = {}, code = 0): Uint8Array {
  const message = buildIcmpv6({ type, code, body }, ip6(packet.from ?? GUEST6), ip6(packet.to ?? 'fec0::2'));
  return ipv6({ ...packet, protocol: IP_PROTOCOLS.ICMPV6, payload: message });
}

/** A datagram over IPv6. */
export function udp6(port: number, payload: Uint8Array, packet: Ip6 = {}, sourcePort = 4000): Uint8Array {
  const ends = { source: ip6(packet.from ?? GUEST6), destination: ip6(packet.to ?? 'fec0::2') };
  const protocol = IP_PROTOCOLS.UDP;
  const datagram = buildUdp({ sourcePort, destinationPort: port, payload }, { ...ends, protocol });
  return ipv6({ ...packet, protocol, payload: datagram });
}
