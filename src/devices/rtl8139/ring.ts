/** The ring of the C mode, in which frames lie one behind the other. QEMU 7.2: rtl8139_write_buffer. */
import { LEAST_RING, R, RCR } from './registers.ts';
import { type ReceiveRing, registerOf, type Rtl8139Registers } from './state.ts';

/** Bytes a driver has read up to, from where the next frame goes: 0 if all of the ring is free. */
export const room = ({ size, read, write }: ReceiveRing): number => (read - write) & (size - 1);

const aligned = (at: number): number => Math.ceil(at / 4) * 4;

/** Header before a frame and check sequence behind it. */
const AROUND = 8;

/** Whether a frame of so many bytes has place. An empty ring takes any, as in QEMU. */
export const hasPlace = (ring: ReceiveRing, bytes: number): boolean =>
  room(ring) === 0 || aligned(bytes + AROUND) < room(ring);

/** Bytes, and where they go from the beginning of the ring on. */
export interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

const LARGEST = 8 * LEAST_RING;

/** A frame may go on behind the end of the ring, where the driver has left room for it. */
const goesOn = (nic: Rtl8139Registers): boolean =>
  nic.ring.size < LARGEST && (registerOf(nic, R.RCR) & RCR.noWrap) !== 0;

/** Where the parts of what is stored go, and where the next frame will. */
export function layOut(
  nic: Rtl8139Registers,
  parts: readonly Uint8Array[],
): { readonly pieces: readonly (readonly Piece[])[]; readonly end: number } {
  const { size } = nic.ring;
  let at = nic.ring.write;
  const pieces = parts.map((bytes): Piece[] => {
    const wrapped = at + bytes.length > size ? (at + bytes.length) & (size - 1) : 0;
    if (wrapped === 0 || goesOn(nic)) {
      at += bytes.length;
      return [{ at: at - bytes.length, bytes }];
    }
    const before = Math.max(0, bytes.length - wrapped);
    const first: Piece[] = before > 0 ? [{ at, bytes: bytes.subarray(0, before) }] : [];
    at = wrapped;
    return [...first, { at: 0, bytes: bytes.subarray(before) }];
  });
  return { pieces, end: aligned(at) & (size - 1) };
}
