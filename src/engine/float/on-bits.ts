import type { FloatEnvironment, Format } from './environment.ts';
import type { Unpacked } from './unpacked.ts';

/** A scalar format: how its bit patterns become numbers and parts, and back. */
export interface Encoding<Bits> {
  readonly format: Format;
  numberOf(bits: Bits): number;
  bitsOf(value: number): Bits;
  unpack(bits: Bits, denormalsAreZero: boolean): Unpacked;
  pack(value: Unpacked): Bits;
}

/** The operation on numbers, with PE noted; NaN where only exact arithmetic will do. */
type Fast = (env: FloatEnvironment, x: number, y: number) => number;
type Exact = (env: FloatEnvironment, a: Unpacked, b: Unpacked) => Unpacked;
type OnBits<Bits> = (env: FloatEnvironment, a: Bits, b: Bits) => Bits;

/** An operation on bit patterns: the fast way where it is known to be right, else the exact one. */
export function onBits<Bits>(encoding: Encoding<Bits>, fast: Fast, exact: Exact): OnBits<Bits> {
  const { format, numberOf, bitsOf, unpack, pack } = encoding;
  return (env, a, b) => {
    const result = fast(env, numberOf(a), numberOf(b));
    if (!Number.isNaN(result)) return bitsOf(result);
    env.format = format;
    const daz = env.denormalsAreZero;
    return pack(exact(env, unpack(a, daz), unpack(b, daz)));
  };
}
