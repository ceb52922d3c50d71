/**
 * Which conversation a frame is of, whichever way it goes. Linux 6.1: __skb_get_hash_symmetric of
 * net/core/flow_dissector.c, which looks into tunnels besides.
 */
import { ETHERNET_HEADER, ETHERTYPES } from './ethernet.ts';
import { NOTHING } from './layout.ts';

/** Tags of VLANs before what a frame carries. */
const TAGS: readonly number[] = [ETHERTYPES.VLAN, 0x88a8];
const TAG_BYTES = 4;
/** Below it a type is a length: IEEE 802.2 comes first, which is ETH_P_802_2. */
const [LEAST_TYPE, LLC] = [0x600, 4];

const IPV4 = { least: 20, fragment: 6, fragmentMask: 0x3fff, protocol: 9, source: 12, bytes: 4 } as const;
const IPV6 = { header: 40, protocol: 6, source: 8, bytes: 16 } as const;
/** Headers of IPv6 that say what follows: hop by hop, routing, for the destination; and of a fragment. */
const EXTENSIONS: readonly number[] = [0, 43, 60];
const FRAGMENT = 44;
/** Where ports lie by protocol: TCP, UDP, DCCP, ESP, SCTP, UDP-Lite; AH. proto_ports_offset. */
const PORTS: ReadonlyMap<number, number> = new Map([...[6, 17, 33, 50, 132, 136].map((p) => [p, 0] as const), [51, 4]]);

/** What tells conversations apart: type, protocol, ports and addresses, in an order of their own. */
export function flowOf(frame: Uint8Array): Uint8Array {
  let at = ETHERNET_HEADER - 2;
  while (TAGS.includes(word(frame, at))) at += TAG_BYTES;
  const type = word(frame, at);
  const packet = frame.subarray(at + 2);
  if (type === ETHERTYPES.IPV4) return ofIpv4(packet);
  if (type === ETHERTYPES.IPV6) return ofIpv6(packet);
  return key(type < LEAST_TYPE ? LLC : type, 0, NOTHING, NOTHING);
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function ofIpv4(packet: Uint8Array): Uint8Array {
  const header = ((packet[0] ?? 0) & 0xf) * 4;
  if (packet.length < IPV4.least || header < IPV4.least) return key(ETHERTYPES.IPV4, 0, NOTHING, NOTHING);
  const protocol = packet[IPV4.protocol]!;
  const isWhole = (word(packet, IPV4.fragment) & IPV4.fragmentMask) === 0;
  const addresses = packet.subarray(IPV4.source, IPV4.source + 2 * IPV4.bytes);
  return key(ETHERTYPES.IPV4, protocol, addresses, isWhole ? portsAt(packet, header, protocol) : NOTHING);
}

function ofIpv6(packet: Uint8Array): Uint8Array {
  if (packet.length < IPV6.header) return key(ETHERTYPES.IPV6, 0, NOTHING, NOTHING);
  let protocol = packet[IPV6.protocol]!;
  let at: number = IPV6.header;
  while (EXTENSIONS.includes(protocol) && at + 8 <= packet.length) {
    protocol = packet[at]!;
    at += 8 * (packet[at + 1]! + 1);
  }
  const addresses = packet.subarray(IPV6.source, IPV6.source + 2 * IPV6.bytes);
  return key(ETHERTYPES.IPV6, protocol, addresses, protocol === FRAGMENT ? NOTHING : portsAt(packet, at, protocol));
}

function portsAt(packet: Uint8Array, header: number, protocol: number): Uint8Array {
  const from = header + (PORTS.get(protocol) ?? packet.length);
  return from + 4 <= packet.length ? packet.subarray(from, from + 4) : NOTHING;
}

function key(type: number, protocol: number, addresses: Uint8Array, ports: Uint8Array): Uint8Array {
  return Uint8Array.of(type >> 8, type, protocol, 0, ...ordered(ports), ...ordered(addresses));
}

/** The lower half first. __flow_hash_consistentify. */
function ordered(pair: Uint8Array): Uint8Array {
  const half = pair.length / 2;
  const [one, other] = [pair.subarray(0, half), pair.subarray(half)];
  const differs = one.findIndex((byte, at) => byte !== other[at]);
  return differs < 0 || one[differs]! < other[differs]! ? pair : Uint8Array.of(...other, ...one);
}
