import type { FlatRange } from './flat-view.ts';

/** Calls a machine makes of its devices: one register access at an offset of a leaf. */
export interface RegisterBus {
  read(range: FlatRange, offset: number, size: number): number;
  write(range: FlatRange, offset: number, size: number, value: number): void;
}

/**
 * Read `size` bytes through a model that handles certain widths: wider accesses in little-endian pieces, narrower
 * ones by reading more and keeping the low part, as QEMU's access_with_adjusted_size does.
 */
export function adjustedRead(bus: RegisterBus, range: FlatRange, offset: number, size: number): number {
  const handler = range.leaf.handler;
  if (handler !== undefined && size < handler.leastAccess) return 0;
  if (handler === undefined || (size >= handler.minAccess && size <= handler.maxAccess)) {
    return bus.read(range, offset, size);
  }
  const step = Math.max(Math.min(size, handler.maxAccess), handler.minAccess);
  let value = 0;
  for (let at = 0; at < size; at += step) value += bus.read(range, offset + at, step) * 2 ** (8 * at);
  return step > size ? value % 2 ** (8 * size) : value;
}

/** Write `size` bytes of `value` the same way. */
export function adjustedWrite(bus: RegisterBus, range: FlatRange, offset: number, size: number, value: number): void {
  const handler = range.leaf.handler;
  if (handler !== undefined && size < handler.leastAccess) return;
  if (handler === undefined || (size >= handler.minAccess && size <= handler.maxAccess)) {
    bus.write(range, offset, size, value);
    return;
  }
  const step = Math.max(Math.min(size, handler.maxAccess), handler.minAccess);
  for (let at = 0; at < size; at += step) {
    bus.write(range, offset + at, step, Math.floor(value / 2 ** (8 * at)) % 2 ** (8 * step));
  }
}

/** How many bytes the next piece of an access may have: a power of two, aligned at `offset`, at most `limit`. */
export function pieceLength(offset: number, length: number, limit: number): number {
  let piece = limit;
  while (piece > 1 && (offset % piece !== 0 || piece > length)) piece >>= 1;
  return piece;
}

/** Little-endian number of `size` bytes at `at`. Exact up to 2^53. */
export function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!;
  return value;
}

/** Store the low `size` bytes of `value` at `at`. */
export function putLittleEndian(bytes: Uint8Array, at: number, size: number, value: number): void {
  let rest = value;
  for (let index = 0; index < size; index++) {
    bytes[at + index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** All ones of `size` bytes: what a port reads that nobody answers, or a PCI function that is not there. */
export const allOnes = (size: number): number => 2 ** (8 * size) - 1;
