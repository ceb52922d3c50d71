import { type Ends, transportChecksum } from './checksum.ts';
import { joined, layout, putNumber, u16 } from './layout.ts';

/** RFC 768. */
const HEADER = layout(8, { sourcePort: u16(0), destinationPort: u16(2), length: u16(4), checksum: u16(6) });
const CHECKSUM_AT = 6;

/** Bytes of its header. */
export const UDP_HEADER = HEADER.length;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** One that was read. */
export interface ParsedUdp extends UdpDatagram {
  /** 0: none was made. */
  readonly checksum: number;
  /** What the checksum is of: the header and the payload, without what comes after the datagram's length. */
  readonly bytes: Uint8Array;
}

/**
 * A datagram by the payload of its packet; undefined when that ends within the header or before the datagram does, or
 * its length is below the header's. Sound: `checksum` is 0, or `transportChecksum` of `bytes` is.
 */
export function parseUdp(bytes: Uint8Array): ParsedUdp | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined || fields.length < HEADER.length || fields.length > bytes.length) return undefined;
  const { length, ...rest } = fields;
  return { ...rest, bytes: bytes.subarray(0, length), payload: bytes.subarray(HEADER.length, length) };
}

/** Its bytes, the checksum made for the packet it goes in. */
export function buildUdp(datagram: UdpDatagram, ends: Ends): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), datagram.payload);
  HEADER.write(bytes, { ...datagram, length: bytes.length, checksum: 0 });
  const checksum = transportChecksum(ends, bytes);
  putNumber(bytes, CHECKSUM_AT, 2, checksum === 0 ? 0xffff : checksum);
  return bytes;
}
