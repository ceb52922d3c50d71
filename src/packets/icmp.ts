import { internetChecksum } from './checksum.ts';
import { joined, layout, putNumber, u8, u16, u32 } from './layout.ts';

/** Types of ICMP messages (RFC 792). */
export const ICMP_TYPES = {
  ...{ ECHO_REPLY: 0, UNREACHABLE: 3, SOURCE_QUENCH: 4, REDIRECT: 5, ECHO_REQUEST: 8, TIME_EXCEEDED: 11 },
  ...{ PARAMETER_PROBLEM: 12, TIMESTAMP: 13, TIMESTAMP_REPLY: 14, MASK_REQUEST: 17, MASK_REPLY: 18 },
} as const;

/** Codes of `UNREACHABLE`. */
export const UNREACHABLE_CODES = { NETWORK: 0, HOST: 1, PROTOCOL: 2, PORT: 3, FRAGMENTATION_NEEDED: 4 } as const;

const HEADER = layout(8, { type: u8(0), code: u8(1), checksum: u16(2), rest: u32(4) });
const CHECKSUM_AT = 2;

/** A message of ICMP. */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** The second word of the header: identifier and number of an echo, zeroes of an error. */
  readonly rest: number;
  readonly payload: Uint8Array;
}

/** A message by all of its bytes; undefined when they end within the header. Sound: `internetChecksum` is 0. */
export function parseIcmp(bytes: Uint8Array): IcmpMessage | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined) return undefined;
  const { type, code, rest } = fields;
  return { type, code, rest, payload: bytes.subarray(HEADER.length) };
}

/** Its bytes, the checksum made. */
export function buildIcmp(message: IcmpMessage): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), message.payload);
  HEADER.write(bytes, { ...message, checksum: 0 });
  putNumber(bytes, CHECKSUM_AT, 2, internetChecksum(bytes));
  return bytes;
}
