import { type Ends, transportChecksum } from './checksum.ts';
import { numberAt, putNumber } from './layout.ts';

/** Where its fields begin (RFC 768). */
const AT = { SOURCE: 0, DESTINATION: 2, LENGTH: 4, CHECKSUM: 6 } as const;

/** Bytes of its header. */
export const UDP_HEADER = 8;

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
  const length = bytes.length < UDP_HEADER ? 0 : numberAt(bytes, AT.LENGTH, 2);
  if (length < UDP_HEADER || length > bytes.length) return undefined;
  return {
    sourcePort: numberAt(bytes, AT.SOURCE, 2),
    destinationPort: numberAt(bytes, AT.DESTINATION, 2),
    checksum: numberAt(bytes, AT.CHECKSUM, 2),
    bytes: bytes.subarray(0, length),
    payload: bytes.subarray(UDP_HEADER, length),
  };
}

/** Its bytes, the checksum made for the packet it goes in. */
export function buildUdp({ sourcePort, destinationPort, payload }: UdpDatagram, ends: Ends): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER + payload.length);
  putNumber(bytes, AT.SOURCE, 2, sourcePort);
  putNumber(bytes, AT.DESTINATION, 2, destinationPort);
  putNumber(bytes, AT.LENGTH, 2, bytes.length);
  bytes.set(payload, UDP_HEADER);
  putNumber(bytes, AT.CHECKSUM, 2, transportChecksum(ends, bytes) || 0xffff);
  return bytes;
}
