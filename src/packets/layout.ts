/** Whole numbers in bytes, the most significant byte first, as every header here has them. */

/** How a field lies in its header: where it begins, and how it is read and written there. */
export interface Field<T> {
  readonly read: (bytes: Uint8Array, from: number) => T;
  readonly write: (bytes: Uint8Array, from: number, value: T) => void;
}

/** An unsigned number of `length` bytes (up to 6) at an offset of `bytes`, which reach so far. */
export function numberAt(bytes: Uint8Array, offset: number, length: number): number {
  let value = 0;
  for (let at = offset; at < offset + length; at++) value = value * 0x100 + bytes[at]!;
  return value;
}

/** The inverse of `numberAt`. */
export function putNumber(bytes: Uint8Array, offset: number, length: number, value: number): void {
  // Shifts are of 32 bits.
  const high = length > 4 ? Math.floor(value / 0x1_0000_0000) : 0;
  for (let at = 0; at < length; at++) {
    const shift = 8 * (length - 1 - at);
    bytes[offset + at] = shift < 32 ? value >>> shift : high >>> (shift - 32);
  }
}

const numberOf =
  (length: number) =>
  (offset: number): Field<number> => ({
    read: (bytes, from) => numberAt(bytes, from + offset, length),
    write: (bytes, from, value) => putNumber(bytes, from + offset, length, value),
  });

export const u8 = numberOf(1);
export const u16 = numberOf(2);
export const u32 = numberOf(4);
/** An Ethernet address. */
export const u48 = numberOf(6);

/** `width` bits of the byte or of the 16 bits at an offset, above the lowest `shift` of them. */
export const bits = (offset: number, length: 1 | 2, shift: number, width: number): Field<number> => ({
  read: (bytes, from) => (numberAt(bytes, from + offset, length) >> shift) & ((1 << width) - 1),
  write(bytes, from, value) {
    const mask = ((1 << width) - 1) << shift;
    const others = numberAt(bytes, from + offset, length) & ~mask;
    putNumber(bytes, from + offset, length, others | ((value << shift) & mask));
  },
});

/** An IPv6 address. */
export const u128 = (offset: number): Field<bigint> => ({
  read: (bytes, from) => wideAt(bytes, from + offset),
  write: (bytes, from, value) => putWide(bytes, from + offset, value),
});

/** 128 bits at an offset. */
function wideAt(bytes: Uint8Array, offset: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (view.getBigUint64(offset) << 64n) | view.getBigUint64(offset + 8);
}

/** The inverse of `wideAt`. */
export function putWide(bytes: Uint8Array, offset: number, value: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setBigUint64(offset, value >> 64n);
  view.setBigUint64(offset + 8, BigInt.asUintN(64, value));
}

/** What the fields of a header hold. */
export type ValuesOf<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A header of `length` bytes: its fields by name. */
export interface Layout<V> {
  readonly length: number;
  /** What it holds at an offset; undefined where the bytes end before it does. */
  readonly read: (bytes: Uint8Array, from?: number) => V | undefined;
  /** `values` in the first bytes of `into`; what no field covers stays. */
  readonly write: (into: Uint8Array, values: V) => void;
}

/** A header by its table of fields. */
export function layout<const F extends Readonly<Record<string, Field<never> | Field<number> | Field<bigint>>>>(
  length: number,
  fields: F,
): Layout<ValuesOf<F>> {
  const rows = Object.entries(fields) as [keyof F & string, Field<unknown>][];
  return {
    length,
    read(bytes, from = 0) {
      if (bytes.length < from + length) return undefined;
      const values: Partial<Record<keyof F, unknown>> = {};
      for (const [name, field] of rows) values[name] = field.read(bytes, from);
      return values as ValuesOf<F>;
    },
    write(into, values) {
      for (const [name, field] of rows) field.write(into, 0, values[name]);
    },
  };
}

/** Bytes one after another, as one. */
export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** No bytes. */
export const NOTHING = new Uint8Array(0);
