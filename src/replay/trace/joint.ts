/**
 * The recording of several machines as one file: what each has written of its trace, piece by piece as it was written,
 * each piece behind a header that says whose it is. The first piece says who there is.
 */
import { crc32 } from '../../base/crc32.ts';
import type { ByteSink } from './writer.ts';

/** First bytes of such a file, like a trace's. The format's version (u32) and zero come behind. */
const JOINT_MAGIC = Uint8Array.of(0x89, 0x52, 0x54, 0x56, 0x4a, 0x0d, 0x0a, 0x1a);
const VERSION = 1;
export const JOINT_PREAMBLE = 16;

const PIECE_MAGIC = 0x434a5652; // RVJC
/** Bytes of a piece's header: magic, whose it is, length, zero, checksum of those. */
export const PIECE_HEADER = 20;

/** Whose piece it is: 0 is what says who there is, machines count from 1. */
export interface PieceHeader {
  readonly lane: number;
  readonly length: number;
}

/** Whether a file begins as a joint recording does. */
export const isJoint = (start: Uint8Array): boolean => JOINT_MAGIC.every((byte, at) => start[at] === byte);

export const jointVersion = (start: Uint8Array): number =>
  new DataView(start.buffer, start.byteOffset, start.byteLength).getUint32(JOINT_MAGIC.length, true);

export const isKnownVersion = (version: number): boolean => version === VERSION;

function preamble(): Uint8Array {
  const bytes = new Uint8Array(JOINT_PREAMBLE);
  bytes.set(JOINT_MAGIC);
  new DataView(bytes.buffer).setUint32(JOINT_MAGIC.length, VERSION, true);
  return bytes;
}

function encodePiece({ lane, length }: PieceHeader): Uint8Array {
  const bytes = new Uint8Array(PIECE_HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, PIECE_MAGIC, true);
  view.setUint32(4, lane, true);
  view.setUint32(8, length, true);
  view.setUint32(16, crc32(bytes.subarray(0, 16)), true);
  return bytes;
}

/** The header in these bytes, or undefined when they are none. */
export function decodePiece(bytes: Uint8Array): PieceHeader | undefined {
  if (bytes.length < PIECE_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== PIECE_MAGIC || view.getUint32(16, true) !== crc32(bytes.subarray(0, 16))) {
    return undefined;
  }
  return { lane: view.getUint32(4, true), length: view.getUint32(8, true) };
}

/** Write a joint recording: `manifest` says who there is. Returns where each machine's bytes go, by its number. */
export function createJoint(sink: ByteSink, manifest: Uint8Array): (lane: number) => ByteSink {
  sink.append(preamble());
  const write = (lane: number, bytes: Uint8Array): void => {
    const piece = new Uint8Array(PIECE_HEADER + bytes.length);
    piece.set(encodePiece({ lane, length: bytes.length }));
    piece.set(bytes, PIECE_HEADER);
    sink.append(piece);
  };
  write(0, manifest);
  return (lane) => ({ append: (bytes) => write(lane, bytes) });
}
