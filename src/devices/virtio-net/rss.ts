/**
 * Which pair of queues a frame goes to where a driver uses several. Virtio 1.2, 5.1.6.5.6 and 5.1.6.5.7; QEMU 7.2:
 * virtio_net_process_rss. Of IPv6 with extension headers the addresses of the header are meant.
 */
import type { NetFunctionState } from './state.ts';

/** VIRTIO_NET_RSS_HASH_TYPE_*. Those with addresses of extension headers come second. */
const TYPES = { 4: { ip: 0x1, tcp: 0x2, udp: 0x4 }, 6: { ip: 0x48, tcp: 0x90, udp: 0x120 } } as const;

/** VIRTIO_NET_RSS_MAX_KEY_SIZE, VIRTIO_NET_RSS_MAX_TABLE_LEN, and all types. */
export const MOST_RSS = { key: 40, table: 128, types: 0x1ff } as const;

const ETHERNET = { type: 12, header: 14, ipv4: 0x0800, ipv6: 0x86dd, tags: [0x8100, 0x88a8], tag: 4 } as const;
const IPV4 = { least: 20, fragment: 6, fragmentMask: 0x3fff, protocol: 9, addresses: [12, 20] } as const;
const IPV6 = { header: 40, protocol: 6, addresses: [8, 40], extensions: [0, 43, 60], fragment: 44 } as const;
const PORTS = 4;
const PROTOCOL = { tcp: 6, udp: 17 } as const;

/** The pair a frame is for, of those in use. Without a driver's wish flows are spread as a hash has it. */
export function pairFor({ pairs, rss }: Pick<NetFunctionState, 'pairs' | 'rss'>, frame: Uint8Array): number {
  if (rss === undefined) return pairs === 1 ? 0 : (hashOf(frame, MOST_RSS.types, SPREAD) ?? 0) % pairs;
  const hash = hashOf(frame, rss.types, rss.key);
  const pair = hash === undefined ? rss.otherwise : rss.table[hash & (rss.table.length - 1)]!;
  return pair % pairs;
}

/** The key of Microsoft's verification suite, which drivers use as well. */
const SPREAD = String.fromCharCode(
  ...[0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca],
  ...[0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b],
  ...[0xbe, 0xac, 0x01, 0xfa],
);

/** Undefined: of these types it is none. */
function hashOf(frame: Uint8Array, types: number, key: string): number | undefined {
  const input = inputOf(frame, types);
  return input === undefined ? undefined : toeplitz(key, input);
}

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** What a hash is made of: both addresses, and ports where those are wanted. */
function inputOf(frame: Uint8Array, types: number): Uint8Array | undefined {
  let at: number = ETHERNET.type;
  while (ETHERNET.tags.some((tag) => tag === word(frame, at))) at += ETHERNET.tag;
  const packet = frame.subarray(at + 2);
  if (word(frame, at) === ETHERNET.ipv4) return inputOfIpv4(packet, types);
  return word(frame, at) === ETHERNET.ipv6 ? inputOfIpv6(packet, types) : undefined;
}

function inputOfIpv4(packet: Uint8Array, types: number): Uint8Array | undefined {
  const header = (packet[0]! & 0xf) * 4;
  if (packet.length < IPV4.least || packet[0]! >> 4 !== 4 || header < IPV4.least) return undefined;
  const isWhole = (word(packet, IPV4.fragment) & IPV4.fragmentMask) === 0;
  const ports = isWhole ? packet.subarray(header, header + PORTS) : NOTHING;
  return chosen(packet.subarray(...IPV4.addresses), ports, { types, of: TYPES[4], protocol: packet[IPV4.protocol]! });
}

function inputOfIpv6(packet: Uint8Array, types: number): Uint8Array | undefined {
  if (packet.length < IPV6.header || packet[0]! >> 4 !== 6) return undefined;
  let protocol = packet[IPV6.protocol]!;
  let at: number = IPV6.header;
  while (IPV6.extensions.some((each) => each === protocol) && at + 8 <= packet.length) {
    protocol = packet[at]!;
    at += 8 * (packet[at + 1]! + 1);
  }
  const ports = protocol === IPV6.fragment ? NOTHING : packet.subarray(at, at + PORTS);
  return chosen(packet.subarray(...IPV6.addresses), ports, { types, of: TYPES[6], protocol });
}

const NOTHING = new Uint8Array(0);

interface Kind {
  readonly types: number;
  readonly of: (typeof TYPES)[4 | 6];
  readonly protocol: number;
}

function chosen(addresses: Uint8Array, ports: Uint8Array, { types, of, protocol }: Kind): Uint8Array | undefined {
  const withPorts = protocol === PROTOCOL.tcp ? of.tcp : protocol === PROTOCOL.udp ? of.udp : 0;
  if (ports.length === PORTS && (types & withPorts) !== 0) return Uint8Array.of(...addresses, ...ports);
  return (types & of.ip) === 0 ? undefined : addresses;
}

/** Toeplitz' hash of bytes by a key, of which what is not there is zero. */
export function toeplitz(key: string, input: Uint8Array): number {
  const keyAt = (at: number): number => (at < key.length ? key.charCodeAt(at) : 0);
  let hash = 0;
  for (const [at, byte] of input.entries()) {
    const high = (keyAt(at) * 2 ** 24 + (keyAt(at + 1) << 16) + (keyAt(at + 2) << 8) + keyAt(at + 3)) >>> 0;
    for (let bit = 0; bit < 8; bit++) {
      if ((byte & (0x80 >> bit)) !== 0) hash ^= (high << bit) | (keyAt(at + 4) >> (8 - bit));
    }
  }
  return hash >>> 0;
}
