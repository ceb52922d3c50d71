import { type Draw, draw32, draw64, drawBelow, drawOf } from '../native/oracle.ts';

const EDGE_FRACTIONS = [0n, 1n, 2n, (1n << 51n) - 1n, 1n << 51n, (1n << 51n) + 1n, (1n << 52n) - 1n, (1n << 52n) - 2n];
const EDGE_EXPONENTS = [0, 1, 2, 52, 53, 1022, 1023, 1024, 1025, 0x7fe, 0x7ff, 971, 1075, 1054, 1086];

/** A binary64 operand: edges, numbers near each other, random bits. */
export function drawDouble(draw: Draw): bigint {
  const pick = drawBelow(draw, 8);
  if (pick === 0) return draw64(draw);
  const sign = BigInt(drawBelow(draw, 2)) << 63n;
  const fraction =
    pick < 3 ? drawOf(draw, EDGE_FRACTIONS) : draw64(draw) >> BigInt(12 + drawBelow(draw, 20) * (pick & 1));
  const sparse = pick === 5 ? fraction & 0xf_ffff_e000_0000n : fraction;
  const exponent =
    pick === 1 || pick === 6
      ? drawOf(draw, EDGE_EXPONENTS)
      : pick === 2
        ? drawBelow(draw, 2048)
        : 1000 + drawBelow(draw, 60);
  return sign | (BigInt(exponent) << 52n) | sparse;
}

const EDGE_SINGLES = [0, 1, 2, 24, 126, 127, 128, 150, 158, 190, 253, 254, 255];

/** A binary32 operand, as an unsigned number. */
export function drawSingle(draw: Draw): number {
  const pick = drawBelow(draw, 8);
  if (pick === 0) return draw32(draw);
  const fraction =
    pick < 3
      ? drawOf(draw, [0, 1, 2, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x7f_ffff, 0x7f_fffe])
      : draw32(draw) & (pick === 5 ? 0x7f_f000 : 0x7f_ffff);
  const exponent =
    pick === 1 || pick === 6
      ? drawOf(draw, EDGE_SINGLES)
      : pick === 2
        ? drawBelow(draw, 256)
        : 115 + drawBelow(draw, 30);
  return ((draw32(draw) & 0x8000_0000) | (exponent << 23) | fraction) >>> 0;
}

const EDGE_SIGNIFICANDS = [
  0n,
  1n,
  2n,
  1n << 63n,
  (1n << 63n) + 1n,
  (1n << 64n) - 1n,
  (1n << 64n) - 2n,
  0xc000_0000_0000_0000n,
  0xc000_0000_0000_0001n,
  0xbfff_ffff_ffff_ffffn,
  0x8000_0000_0000_0400n,
  0x8000_0000_0000_0800n,
  0x8000_0080_0000_0000n,
  0x8000_0100_0000_0000n,
  0xffff_ffff_ffff_f800n,
  0xffff_ffff_ffff_fc00n,
  0xffff_ff80_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  1n << 62n,
  0xa000_0000_0000_0000n,
];
const EDGE_EXTENDED = [
  0,
  0,
  1,
  2,
  63,
  64,
  0x3ffd,
  0x3ffe,
  0x3fff,
  0x4000,
  0x4001,
  0x400d,
  0x400e,
  0x401d,
  0x401e,
  0x403d,
  0x403e,
  0x403f,
  0x7ffd,
  0x7ffe,
  0x7fff,
  0x7fff,
  0x3fff - 1022,
  0x3fff - 1023,
  0x3fff - 126,
  0x3fff - 127,
  0x3fff + 127,
  0x3fff + 128,
  0x3fff + 1023,
  0x3fff + 1024,
  0x3fff - 149,
  0x3fff - 1074,
  0x3fff - 150,
  0x3fff - 1075,
  0x3fff - 64,
  0x3fff - 65,
];

/** An extended operand: [sign and exponent, significand], including every unsupported encoding. */
export function drawExtended(draw: Draw): [number, bigint] {
  const pick = drawBelow(draw, 10);
  const sign = drawBelow(draw, 2) << 15;
  if (pick === 0) return [draw32(draw) & 0xffff, draw64(draw)];
  const exponent =
    pick < 4 ? drawOf(draw, EDGE_EXTENDED) : pick === 4 ? drawBelow(draw, 0x8000) : 0x3fff - 40 + drawBelow(draw, 110);
  if (pick === 1 || pick === 5) return [sign | exponent, drawOf(draw, EDGE_SIGNIFICANDS)];
  let significand = draw64(draw) | (1n << 63n);
  if (pick === 6) significand = (significand >> 40n) << 40n;
  if (pick === 7) significand = (significand >> 11n) << 11n;
  if (exponent === 0 && (pick & 1) === 1) significand &= (1n << 63n) - 1n;
  return [sign | exponent, significand];
}
