import { bits, joined, layout, u8, u16, u32, u128 } from './layout.ts';

/** RFC 8200. */
const HEADER = layout(40, {
  version: bits(0, 1, 4, 4),
  first: u32(0),
  payloadLength: u16(4),
  protocol: u8(6),
  hopLimit: u8(7),
  source: u128(8),
  destination: u128(24),
});

/** Bytes of its header. */
export const IPV6_HEADER = HEADER.length;

/** A packet of IPv6. Addresses are bigints of 128 bits. */
export interface Ipv6Packet {
  readonly trafficClass: number;
  readonly flowLabel: number;
  /** The next header: of `IP_PROTOCOLS`, or of an extension, which stays in the payload. */
  readonly protocol: number;
  readonly hopLimit: number;
  readonly source: bigint;
  readonly destination: bigint;
  readonly payload: Uint8Array;
}

/** A packet by its bytes, of which those after it do not count; undefined for what is cut or not of version 6. */
export function parseIpv6(bytes: Uint8Array): Ipv6Packet | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined) return undefined;
  const { version, first, payloadLength, ...rest } = fields;
  if (version !== 6 || bytes.length < HEADER.length + payloadLength) return undefined;
  return {
    ...rest,
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xf_ffff,
    payload: bytes.subarray(HEADER.length, HEADER.length + payloadLength),
  };
}

/** Its bytes. */
export function buildIpv6(packet: Ipv6Packet): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), packet.payload);
  const first = ((6 << 28) | (packet.trafficClass << 20) | packet.flowLabel) >>> 0;
  HEADER.write(bytes, { ...packet, first, version: 6, payloadLength: packet.payload.length });
  return bytes;
}
