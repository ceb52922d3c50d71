/** What is left to chance on a packet's way. */
import type { Effects } from '../devices/device.ts';

/** Whether something happens that has such a chance; drawn, from a stream of that name, only where it has one. */
export function happens(effects: Effects, stream: string, chance: number | undefined): boolean {
  if (chance === undefined || chance <= 0) return false;
  return numberOf(effects.random(stream, 4)) < chance * 0x1_0000_0000;
}

/** A whole number below `most`. */
const drawn = (effects: Effects, stream: string, most: number): number =>
  Math.floor((numberOf(effects.random(stream, 4)) * most) / 0x1_0000_0000);

const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** A packet that is overtaken comes by so much later: some others have passed it by then. */
const OVERTAKEN_BY = 5_000_000;

/** How many nanoseconds later than it would a packet comes: drawn from two streams, of names that begin so. */
export function delayOf(
  effects: Effects,
  streams: string,
  { jitter = 0, reorder }: { readonly jitter?: number | undefined; readonly reorder?: number | undefined },
): number {
  const late = happens(effects, `${streams}.reorder`, reorder) ? OVERTAKEN_BY : 0;
  return late + (jitter > 0 ? drawn(effects, `${streams}.jitter`, jitter) : 0);
}
