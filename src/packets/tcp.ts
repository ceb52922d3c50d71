import { type Ends, transportChecksum } from './checksum.ts';
import { numberAt, putNumber } from './layout.ts';

/** Where its fields begin (RFC 9293, 3.1). */
const AT = {
  ...{ SOURCE: 0, DESTINATION: 2, SEQUENCE: 4, ACKNOWLEDGMENT: 8, LENGTH: 12, FLAGS: 13, WINDOW: 14, CHECKSUM: 16 },
  ...{ URGENT: 18 },
} as const;

/** Bytes of a header without options. */
export const TCP_HEADER = 20;

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
  const length = bytes.length < TCP_HEADER ? 0 : (bytes[AT.LENGTH]! >> 4) * 4;
  if (length < TCP_HEADER || length > bytes.length) return undefined;
  return {
    sourcePort: numberAt(bytes, AT.SOURCE, 2),
    destinationPort: numberAt(bytes, AT.DESTINATION, 2),
    sequence: numberAt(bytes, AT.SEQUENCE, 4),
    acknowledgment: numberAt(bytes, AT.ACKNOWLEDGMENT, 4),
    flags: bytes[AT.FLAGS]!,
    window: numberAt(bytes, AT.WINDOW, 2),
    checksum: numberAt(bytes, AT.CHECKSUM, 2),
    urgent: numberAt(bytes, AT.URGENT, 2),
    bytes,
    options: bytes.subarray(TCP_HEADER, length),
    payload: bytes.subarray(length),
  };
}

/** Its bytes, the checksum made for the packet it goes in. `options` are a multiple of 4 bytes long. */
export function buildTcp(segment: TcpSegment, ends: Ends): Uint8Array {
  const { options, payload } = segment;
  const length = TCP_HEADER + options.length;
  const bytes = new Uint8Array(length + payload.length);
  putNumber(bytes, AT.SOURCE, 2, segment.sourcePort);
  putNumber(bytes, AT.DESTINATION, 2, segment.destinationPort);
  putNumber(bytes, AT.SEQUENCE, 4, segment.sequence);
  putNumber(bytes, AT.ACKNOWLEDGMENT, 4, segment.acknowledgment);
  bytes[AT.LENGTH] = (length / 4) << 4;
  bytes[AT.FLAGS] = segment.flags;
  putNumber(bytes, AT.WINDOW, 2, segment.window);
  putNumber(bytes, AT.URGENT, 2, segment.urgent);
  bytes.set(options, TCP_HEADER);
  bytes.set(payload, length);
  putNumber(bytes, AT.CHECKSUM, 2, transportChecksum(ends, bytes));
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
