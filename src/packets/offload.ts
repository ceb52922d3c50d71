/** What is left to be done to a packet, as virtio's header before it says (virtio 1.1, 5.1.6); and doing it. */
import { folded, internetChecksum } from './checksum.ts';
import { ETHERTYPES } from './ethernet.ts';
import { numberAt, putNumber } from './layout.ts';

/** Bytes of the header. */
export const OFFLOAD_HEADER = 10;

const NEEDS_CHECKSUM = 1;
/** Kinds of segments. */
export const GSO = { none: 0, tcp4: 1, udp: 3, tcp6: 4, ecn: 0x80 } as const;

/** A header's fields. */
export interface Offload {
  /** A checksum is to be put in, over all from `start` on, at `start + offset`: there is the pseudo-header's sum. */
  readonly needsChecksum: boolean;
  /** How it is to be cut: of `GSO`, with `GSO.ecn` where its congestion is told. */
  readonly kind: number;
  /** Bytes of payload of a segment. */
  readonly size: number;
  readonly start: number;
  readonly offset: number;
}

/** Fields are little-endian. None for a packet without. */
export function offloadOf(header: Uint8Array | undefined): Offload | undefined {
  if (header === undefined || header.length < OFFLOAD_HEADER) return undefined;
  const view = new DataView(header.buffer, header.byteOffset);
  const needsChecksum = (header[0]! & NEEDS_CHECKSUM) !== 0;
  const kind = header[1]!;
  if (!needsChecksum && kind === GSO.none) return undefined;
  return {
    ...{ needsChecksum, kind, size: view.getUint16(4, true) },
    ...{ start: view.getUint16(6, true), offset: view.getUint16(8, true) },
  };
}

/** A header that says what these do, of a packet whose headers have so many bytes. */
export function headerOf({ needsChecksum, kind, size, start, offset }: Offload, length: number): Uint8Array {
  const header = new Uint8Array(OFFLOAD_HEADER);
  const view = new DataView(header.buffer);
  header[0] = needsChecksum ? NEEDS_CHECKSUM : 0;
  header[1] = kind;
  if (kind !== GSO.none) {
    view.setUint16(2, length, true);
    view.setUint16(4, size, true);
  }
  if (needsChecksum) {
    view.setUint16(6, start, true);
    view.setUint16(8, offset, true);
  }
  return header;
}

const KINDS: readonly number[] = [GSO.none, GSO.tcp4, GSO.tcp6];

/** What is wrong with a header: virtio_net_hdr_to_skb refuses it. undefined: nothing. */
export function offloadFlaw(
  frame: Uint8Array,
  { needsChecksum, kind, size, start, offset }: Offload,
): string | undefined {
  if (needsChecksum && start + offset + 2 > frame.length) return 'checksum beyond the end';
  if (!KINDS.includes(kind & ~GSO.ecn)) return 'segments of an unknown kind';
  if (kind === GSO.none) return undefined;
  if (size === 0) return 'segments of no bytes';
  return needsChecksum && headersOf(frame, start) !== undefined ? undefined : 'segments of no TCP';
}

/** Whether what a header says is left to be done cannot be. */
export function hasBadHeader(frame: Uint8Array, header: Uint8Array | undefined): boolean {
  const offload = offloadOf(header);
  return offload !== undefined && offloadFlaw(frame, offload) !== undefined;
}

/** Its checksum put in. */
export function withChecksum(frame: Uint8Array, { start, offset }: Pick<Offload, 'start' | 'offset'>): Uint8Array {
  const bytes = frame.slice();
  // 0 is 0 to TCP; to UDP it says that there is none.
  putNumber(
    bytes,
    start + offset,
    2,
    internetChecksum(bytes.subarray(start)) || (offset === UDP_CHECKSUM ? 0xffff : 0),
  );
  return bytes;
}

const UDP_CHECKSUM = 6;
const TCP_CHECKSUM = 16;
const TYPE_AT = 12;
const TAG_BYTES = 4;
const TAGS: readonly number[] = [ETHERTYPES.VLAN, 0x88a8];
const FIN_PSH = 0x09;
const CWR = 0x80;

/** Where the network's header of a frame begins: behind its tags. */
function networkAt(frame: Uint8Array): number {
  let at = TYPE_AT;
  while (at + 2 <= frame.length && TAGS.includes(numberAt(frame, at, 2))) at += TAG_BYTES;
  return at + 2;
}

interface Headers {
  readonly network: number;
  readonly isIpv4: boolean;
  /** Where the payload begins. */
  readonly payload: number;
}

/** Of a frame of TCP, whose own header begins at `start`; undefined: it is none. */
function headersOf(frame: Uint8Array, start: number): Headers | undefined {
  const network = networkAt(frame);
  if (network + 20 > start || start + 20 > frame.length) return undefined;
  const version = frame[network]! >> 4;
  const payload = start + 4 * (frame[start + 12]! >> 4);
  if ((version !== 4 && version !== 6) || payload > frame.length || payload < start + 20) return undefined;
  return { network, isIpv4: version === 4, payload };
}

/**
 * Cut a frame of TCP into segments: Linux' tcp_gso_segment. Of each the checksum is left to be put in, as that of the
 * whole was.
 */
export function segmentsOf(frame: Uint8Array, { size, start }: Offload): Uint8Array[] {
  const headers = headersOf(frame, start)!;
  const segments: Uint8Array[] = [];
  for (let at = headers.payload; at < frame.length; at += size) {
    segments.push(segment(frame, headers, start, { at, size, number: segments.length }));
  }
  return segments;
}

/** The same, with nothing left to be done. */
export const finishedSegments = (frame: Uint8Array, offload: Offload): Uint8Array[] =>
  segmentsOf(frame, offload).map((bytes) => withChecksum(bytes, offload));

/** How many bytes the headers of a frame of TCP have. */
export const headerLength = (frame: Uint8Array, { start }: Offload): number => headersOf(frame, start)?.payload ?? 0;

function segment(
  frame: Uint8Array,
  { network, isIpv4, payload }: Headers,
  start: number,
  { at, size, number }: { readonly at: number; readonly size: number; readonly number: number },
): Uint8Array {
  const some = frame.subarray(at, at + size);
  const bytes = new Uint8Array(payload + some.length);
  bytes.set(frame.subarray(0, payload));
  bytes.set(some, payload);
  putNumber(bytes, start + 4, 4, (numberAt(frame, start + 4, 4) + at - payload) >>> 0);
  if (at + size < frame.length) bytes[start + 13]! &= ~FIN_PSH;
  if (number > 0) bytes[start + 13]! &= ~CWR;
  const length = bytes.length - network;
  if (isIpv4) {
    putNumber(bytes, network + 2, 2, length);
    putNumber(bytes, network + 4, 2, (numberAt(frame, network + 4, 2) + number) & 0xffff);
    putNumber(bytes, network + 10, 2, 0);
    putNumber(bytes, network + 10, 2, internetChecksum(bytes.subarray(network, start)));
  } else putNumber(bytes, network + 4, 2, length - 40);
  // There was the sum of the pseudo-header with the length of the whole: now it is that of this.
  const whole = frame.length - start;
  const sum = numberAt(frame, start + TCP_CHECKSUM, 2) + (bytes.length - start) + (~whole & 0xffff);
  putNumber(bytes, start + TCP_CHECKSUM, 2, folded(sum));
  return bytes;
}
