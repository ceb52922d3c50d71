import type { Chance } from './encode.ts';
import { FXSAVE } from './record.ts';

const EDGES = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
  0xffffffff80000000n,
  0xffffffffffff8000n,
  0xffffffffffffff80n,
];
const SINGLES = [
  0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345,
  0x00000001, 0x007fffff, 0x80000001, 0x00800000, 0x7f7fffff, 0x40490fdb, 0x4f000000, 0xcf000000, 0x4effffff,
  0x3effffff, 0x3f000000, 0x33800000, 0x5f000000, 0x42000000,
];
const DOUBLES = [
  0n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0x7ff0000000000001n,
  0xfff8000012345678n,
  1n,
  0x000fffffffffffffn,
  0x8000000000000001n,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0x400921fb54442d18n,
  0x41dfffffffc00000n,
  0xc1e0000000000000n,
  0x43e0000000000000n,
  0x3fe0000000000000n,
  0x3fdfffffffffffffn,
  0x36a0000000000000n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x3810000000000000n,
  0x4330000000000001n,
  0x3ff8000000000000n,
  0x4004000000000000n,
];
/** Sign/exponent and significand of 80-bit values: zeros, one, infinities, NaNs, denormals, unnormals. */
const EXTENDED: readonly (readonly [number, bigint])[] = [
  [0, 0n],
  [0x8000, 0n],
  [0x3fff, 1n << 63n],
  [0xbfff, 1n << 63n],
  [0x7fff, 1n << 63n],
  [0xffff, 1n << 63n],
  [0x7fff, 3n << 62n],
  [0x7fff, (1n << 63n) | 1n],
  [0xffff, (3n << 62n) | 77n],
  [0, 1n],
  [0, (1n << 63n) - 1n],
  [0, 1n << 63n],
  [1, 1n << 63n],
  [0x7ffe, (1n << 64n) - 1n],
  [0x4000, 0xc90fdaa22168c235n],
  [0x403e, 1n << 63n],
  [0x401e, 1n << 63n],
  [0x3ffe, 1n << 63n],
  [0x3fff, 3n << 62n],
  [0x4005, 1n],
  [0x7fff, 0n],
  [0x3ffe, (1n << 64n) - 1n],
  [0x403e, (1n << 64n) - 1n],
];

/** A register value: an edge, an edge's neighbour, a small number or 64 random bits. */
export function randomGpr(chance: Chance): bigint {
  switch (chance.below(5)) {
    case 0:
      return EDGES[chance.below(EDGES.length)]!;
    case 1:
      return BigInt.asUintN(64, EDGES[chance.below(EDGES.length)]! + BigInt(chance.below(5) - 2));
    case 2:
      return BigInt(chance.below(256));
    default:
      return chance.bits64() >> BigInt(chance.below(4) === 0 ? chance.below(63) : 0);
  }
}

/** Eight bytes that mean something as two singles, a double or integers. */
function randomQuad(chance: Chance): bigint {
  switch (chance.below(6)) {
    case 0: {
      const low = SINGLES[chance.below(SINGLES.length)]!;
      return (BigInt(SINGLES[chance.below(SINGLES.length)]!) << 32n) | BigInt(low);
    }
    case 1:
      return DOUBLES[chance.below(DOUBLES.length)]!;
    case 2:
      // Doubles of like size, so that sums and differences round.
      return ((0x3f0n + BigInt(chance.below(32))) << 52n) | (chance.bits64() & 0x800fffffffffffffn);
    case 3: {
      const single = () => (BigInt(0x70 + chance.below(32)) << 23n) | (chance.bits64() & 0x807fffffn);
      return (single() << 32n) | single();
    }
    case 4:
      return randomGpr(chance);
    default:
      return chance.bits64();
  }
}

function randomExtended(chance: Chance): readonly [number, bigint] {
  const kind = chance.below(4);
  if (kind === 0) return EXTENDED[chance.below(EXTENDED.length)]!;
  const sign = chance.below(2) << 15;
  const exponent = kind === 1 ? chance.below(0x7ffe) + 1 : 0x3fff - 40 + chance.below(110);
  const bits = chance.bits64() | (1n << 63n);
  return [sign | exponent, kind === 3 ? bits & ~((1n << BigInt(chance.below(60))) - 1n) : bits];
}

/** An FXSAVE image: x87 and SSE state; sometimes x87 values also go into the memory window. */
export function randomFxImage(chance: Chance, window: Uint8Array): Uint8Array {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const control = [0x37f, 0x27f, 0x07f, 0x77f, 0xb7f, 0xf7f, 0x67f, 0xe3f | 0x40][
    chance.below(4) === 0 ? chance.below(8) : 0
  ]!;
  view.setUint16(FXSAVE.fcw, control, true);
  const top = chance.below(3) === 0 ? chance.below(8) : 0;
  view.setUint16(FXSAVE.fsw, (top << 11) | (chance.below(2) * 0x4700 * chance.below(2)), true);
  image[FXSAVE.ftw] = chance.below(6) === 0 ? chance.below(256) : 0xff;
  const rounding = chance.below(3) === 0 ? chance.below(4) << 13 : 0;
  const zeroing = chance.below(6) === 0 ? [0x40, 0x8000, 0x8040][chance.below(3)]! : 0;
  const masks = chance.below(16) === 0 ? chance.below(64) << 7 : 0x1f80;
  // With PE already set an inexact result leaves no trace: the processor may take a shorter way.
  const raised = chance.below(2) === 0 ? 0x20 | (chance.below(4) === 0 ? chance.below(64) : 0) : 0;
  view.setUint32(FXSAVE.mxcsr, masks | rounding | zeroing | raised, true);
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) {
    const [high, low] = randomExtended(chance);
    view.setBigUint64(FXSAVE.st + 16 * i, low, true);
    view.setUint16(FXSAVE.st + 16 * i + 8, high, true);
  }
  for (let i = 0; i < 32; i++) view.setBigUint64(FXSAVE.xmm + 8 * i, randomQuad(chance), true);
  fillNumbers(chance, window);
  return image;
}

function fillNumbers(chance: Chance, window: Uint8Array): void {
  const kind = chance.below(4);
  const view = new DataView(window.buffer, window.byteOffset, window.length);
  if (kind === 0) for (let i = 0; i < window.length; i += 8) view.setBigUint64(i, randomQuad(chance), true);
  if (kind !== 1) return;
  for (let i = 0; i + 10 <= window.length; i += 10) {
    const [high, low] = randomExtended(chance);
    view.setBigUint64(i, low, true);
    view.setUint16(i + 8, high, true);
  }
}
