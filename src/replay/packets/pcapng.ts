/** Captures as pcapng files (draft-ietf-opsawg-pcapng), which Wireshark, tshark and tcpdump read. */
import { BLOCK, BYTE_ORDER, ETHERNET, TIME_RESOLUTION } from '../../packets/capture-format.ts';

const VERSION = [1, 0] as const;
/** Nobody knows how long it is before it is written. */
const UNKNOWN_LENGTH = -1n;

/** Codes of options; what ends them is 0. */
const OPTION = {
  comment: 1,
  userApplication: 4,
  name: 2,
  description: 3,
  flags: 2,
  packetId: 5,
} as const;

/** Times are counted in units of 10 to this negative power of a second. */
const NANOSECONDS = 9;
/** Bytes of a text at most: what is longer is of no use there. */
const LONGEST = 16_000;

/** Which way a packet goes, as whoever captures it sees it. */
export const DIRECTION = { inbound: 1, outbound: 2 } as const;

/** Where packets are captured. */
export interface CaptureInterface {
  readonly name: string;
  readonly description: string;
}

/** A packet of a capture. */
export interface CapturedPacket {
  /** By its place among the interfaces. */
  readonly interface: number;
  /** Nanoseconds since 1970 (UTC). */
  readonly ns: bigint;
  readonly bytes: Uint8Array;
  readonly direction: keyof typeof DIRECTION;
  /** No other packet of the capture has it. */
  readonly number: bigint;
  readonly comment: string;
}

type Option = readonly [code: number, value: Uint8Array];

const ENCODER = new TextEncoder();

const padded = (length: number): number => (length + 3) & ~3;
const text = (words: string): Uint8Array => ENCODER.encode(words).subarray(0, LONGEST);

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** The beginning of a file and of what is captured at these places. */
export function captureHead(application: string, interfaces: readonly CaptureInterface[]): Uint8Array[] {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint32(0, BYTE_ORDER, true);
  view.setUint16(4, VERSION[0], true);
  view.setUint16(6, VERSION[1], true);
  view.setBigInt64(8, UNKNOWN_LENGTH, true);
  return [
    block(BLOCK.sectionHeader, [head], [[OPTION.userApplication, text(application)]]),
    ...interfaces.map(interfaceBlock),
  ];
}

/** A snap length of 0: packets are whole. */
const interfaceBlock = ({ name, description }: CaptureInterface): Uint8Array =>
  block(
    BLOCK.interface,
    [u32(ETHERNET), u32(0)],
    [
      [OPTION.name, text(name)],
      [OPTION.description, text(description)],
      [TIME_RESOLUTION, Uint8Array.of(NANOSECONDS)],
    ],
  );

/** One packet. */
export function packetBlock({ ns, bytes, ...packet }: CapturedPacket): Uint8Array {
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  view.setUint32(0, packet.interface, true);
  view.setUint32(4, Number(BigInt.asUintN(32, ns >> 32n)), true);
  view.setUint32(8, Number(BigInt.asUintN(32, ns)), true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, bytes.length, true);
  return block(
    BLOCK.enhancedPacket,
    [head, bytes],
    [
      [OPTION.comment, text(packet.comment)],
      [OPTION.flags, u32(DIRECTION[packet.direction])],
      [OPTION.packetId, u64(packet.number)],
    ],
  );
}

/** A block: its length stands at both ends, and every part of it begins at a multiple of four. */
function block(type: number, parts: readonly Uint8Array[], options: readonly Option[]): Uint8Array {
  const inside = parts.reduce((sum, part) => sum + padded(part.length), 0);
  const behind = options.reduce((sum, [, value]) => sum + 4 + padded(value.length), 4);
  const length = 12 + inside + behind;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  view.setUint32(length - 4, length, true);
  return bytes;
}
