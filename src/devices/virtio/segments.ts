/** Segments of an element as the bytes of an event: address and length, little-endian, 8 and 4 bytes each. */
import type { Segment } from './state.ts';

const BYTES = 12;

export function segmentBytes(segments: readonly Segment[]): Uint8Array {
  const bytes = new Uint8Array(segments.length * BYTES);
  const view = new DataView(bytes.buffer);
  for (const [at, { gpa, length }] of segments.entries()) {
    view.setBigUint64(at * BYTES, BigInt(gpa), true);
    view.setUint32(at * BYTES + 8, length, true);
  }
  return bytes;
}

export function segmentsFrom(bytes: Uint8Array): Segment[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / BYTES) }, (_, at) => ({
    gpa: Number(view.getBigUint64(at * BYTES, true)),
    length: view.getUint32(at * BYTES + 8, true),
  }));
}

/** Bytes of all of them. */
export const lengthOf = (segments: readonly Segment[]): number => segments.reduce((sum, { length }) => sum + length, 0);

/** The bytes from one place of all of them to another. */
export const part = (segments: readonly Segment[], from: number, length: number): Segment[] =>
  partBy(segments, { from, length }, ({ gpa }, skip, taken) => ({ gpa: gpa + skip, length: taken }));

/** The same of segments that say more of where they are. within: so many bytes of one, behind so many of it. */
export function partBy<S extends Segment>(
  segments: readonly S[],
  { from, length }: { readonly from: number; readonly length: number },
  within: (segment: S, skip: number, taken: number) => S,
): S[] {
  const found: S[] = [];
  let [skip, left] = [from, length];
  for (const segment of segments) {
    const taken = Math.min(left, Math.max(0, segment.length - skip));
    if (taken > 0) found.push(within(segment, skip, taken));
    left -= taken;
    skip = Math.max(0, skip - segment.length);
  }
  return found;
}
