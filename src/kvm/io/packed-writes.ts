import type { MmioAccess } from '../../x86/guest.ts';

const NO_BYTES = new Uint8Array(0);

/** Each write as its gpa (8 bytes, little-endian), length (1) and bytes. */
export function packWrites(writes: readonly MmioAccess[]): Uint8Array {
  if (writes.length === 0) return NO_BYTES;
  const packed = new Uint8Array(writes.reduce((sum, { bytes }) => sum + 9 + bytes.length, 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { gpa, bytes } of writes) {
    view.setBigUint64(at, BigInt(gpa), true);
    packed[at + 8] = bytes.length;
    packed.set(bytes, at + 9);
    at += 9 + bytes.length;
  }
  return packed;
}

/** What `packWrites` packed. */
export function unpackWrites(packed: Uint8Array): MmioAccess[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const writes: MmioAccess[] = [];
  for (let at = 0; at < packed.length; at += 9 + packed[at + 8]!) {
    const bytes = packed.slice(at + 9, at + 9 + packed[at + 8]!);
    writes.push({ gpa: Number(view.getBigUint64(at, true)), bytes });
  }
  return writes;
}
