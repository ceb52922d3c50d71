import { type Ends, transportChecksum } from './checksum.ts';
import { bits, joined, layout, numberAt, putNumber, u8, u16, u32 } from './layout.ts';

/** RFC 9293, 3.1. */
const HEADER = layout(20, {
  sourcePort: u16(0),
  destinationPort: u16(2),
  sequence: u32(4),
  acknowledgment: u32(8),
  words: bits(12, 1, 4, 4),
  flags: u8(13),
  window: u16(14),
  checksum: u16(16),
  urgent: u16(18),
});

const CHECKSUM_AT = 16;

/** Bytes of a header without options. */
export const TCP_HEADER = HEADER.length;

/** Bits of `flags`. */
export const TCP_FLAGS = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 0x10, URG: 0x20, ECE: 0x40, CWR: 0x80 } as const;

/** Kinds of options. */
export const TCP_OPTIONS = {
  END: 0,
  NOTHING: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
} as const;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** Of `TCP_FLAGS`. */
  readonly flags: number;
  /** As it stands in the header: not scaled. */
  readonly window: number;
  readonly urgent: number;
  /** As they stand in the header, padded to words. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** One that was read. */
export interface ParsedTcp extends TcpSegment {
  readonly checksum: number;
  /** What the checksum is of. */
  readonly bytes: Uint8Array;
}

/** A segment by the payload of its packet; undefined when that ends in the header. Sound: `transportChecksum` is 0. */
export function parseTcp(bytes: Uint8Array): ParsedTcp | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined) return undefined;
  const { words, ...rest } = fields;
  const length = words * 4;
  if (length < HEADER.length || length > bytes.length) return undefined;
  return { ...rest, bytes, options: bytes.subarray(HEADER.length, length), payload: bytes.subarray(length) };
}

/** Its bytes, the checksum made for the packet it goes in. `options` are a multiple of 4 bytes long. */
export function buildTcp(segment: TcpSegment, ends: Ends): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), segment.options, segment.payload);
  HEADER.write(bytes, { ...segment, words: (HEADER.length + segment.options.length) / 4, checksum: 0 });
  putNumber(bytes, CHECKSUM_AT, 2, transportChecksum(ends, bytes));
  return bytes;
}

/** One option: what follows its kind and length. */
export interface TcpOption {
  /** Of `TCP_OPTIONS`. */
  readonly kind: number;
  readonly data: Uint8Array;
}

/** The options of a header, without padding; those after one whose length cannot be are not read. */
function tcpOptions(options: Uint8Array): readonly TcpOption[] {
  const found: TcpOption[] = [];
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!;
    if (kind === TCP_OPTIONS.END) break;
    if (kind === TCP_OPTIONS.NOTHING) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) break;
    found.push({ kind, data: options.subarray(at + 2, at + length) });
    at += length;
  }
  return found;
}

/** The option of the largest segment (RFC 9293, 3.2), as it stands in a header. */
export const mssOption = (mss: number): Uint8Array => Uint8Array.of(TCP_OPTIONS.MSS, 4, mss >> 8, mss & 0xff);

/** The largest segment the other side takes, if its options say; undefined: they do not. */
export function mssOf(options: Uint8Array): number | undefined {
  const data = tcpOptions(options).find(({ kind }) => kind === TCP_OPTIONS.MSS)?.data;
  return data?.length === 2 ? numberAt(data, 0, 2) : undefined;
}
