/** What is left to chance on a packet's way. */
import type { Effects } from '../devices/device.ts';

/** Whether something happens that has such a chance; drawn, from a stream of that name, only where it has one. */
export function happens(effects: Effects, stream: string, chance: number | undefined): boolean {
  if (chance === undefined || chance <= 0) return false;
  return numberOf(effects.random(stream, 4)) < chance * 0x1_0000_0000;
}

/** A whole number below `most`. */
export const drawn = (effects: Effects, stream: string, most: number): number =>
  Math.floor((numberOf(effects.random(stream, 4)) * most) / 0x1_0000_0000);

const numberOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);

/** A packet that is overtaken comes by so much later: some others have passed it by then. */
export const OVERTAKEN_BY = 5_000_000;
