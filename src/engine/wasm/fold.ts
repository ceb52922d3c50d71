import { type Constants, is64, type V } from './values.ts';
import type { BINARY, COMPARE } from './opcodes.ts';

/** What a binary operator of two constants comes to; undefined: that is not worked out here. */
export function fold(constants: Constants, name: keyof typeof BINARY, a: V, b: V): V | undefined {
  const wide = is64(a);
  const [low, high] = [constants.lowOf(a), constants.highOf(a)];
  const [byLow, byHigh] = [constants.lowOf(b), constants.highOf(b)];
  switch (name) {
    case 'add':
      return sum(constants, wide, low, high, byLow, byHigh, 0);
    case 'sub':
      return sum(constants, wide, low, high, ~byLow, ~byHigh, 1);
    case 'and':
      return constants.make(wide, low & byLow, high & byHigh);
    case 'or':
      return constants.make(wide, low | byLow, high | byHigh);
    case 'xor':
      return constants.make(wide, low ^ byLow, high ^ byHigh);
    case 'mul':
      return wide ? undefined : constants.make(false, Math.imul(low, byLow), 0);
    case 'shl':
      return shiftedLeft(constants, wide, low, high, byLow);
    case 'shrU':
      return shiftedRight(constants, wide, low, high, byLow);
    default:
      return undefined;
  }
}

function sum(c: Constants, wide: boolean, low: number, high: number, byLow: number, byHigh: number, carry: number): V {
  const lower = (low >>> 0) + (byLow >>> 0) + carry;
  return c.make(wide, lower | 0, (high + byHigh + (lower >= 0x1_0000_0000 ? 1 : 0)) | 0);
}

function shiftedLeft(c: Constants, wide: boolean, low: number, high: number, by: number): V {
  if (!wide) return c.make(false, low << (by & 31), 0);
  const n = by & 63;
  if (n === 0) return c.make(true, low, high);
  if (n >= 32) return c.make(true, 0, low << (n - 32));
  return c.make(true, low << n, (high << n) | (low >>> (32 - n)));
}

function shiftedRight(c: Constants, wide: boolean, low: number, high: number, by: number): V {
  if (!wide) return c.make(false, low >>> (by & 31), 0);
  const n = by & 63;
  if (n === 0) return c.make(true, low, high);
  if (n >= 32) return c.make(true, high >>> (n - 32), 0);
  return c.make(true, (low >>> n) | (high << (32 - n)), high >>> n);
}

/** What a comparison of two constants says. */
export function foldCompare(constants: Constants, name: keyof typeof COMPARE, a: V, b: V): boolean {
  const [low, high] = [constants.lowOf(a) >>> 0, constants.highOf(a)];
  const [byLow, byHigh] = [constants.lowOf(b) >>> 0, constants.highOf(b)];
  const isEqual = low === byLow && high === byHigh;
  if (name === 'eq') return isEqual;
  if (name === 'ne') return !isEqual;
  const isSigned = name.endsWith('S');
  const [upper, byUpper] = isSigned ? [high, byHigh] : [high >>> 0, byHigh >>> 0];
  // 32-bit constants have their sign above, which orders them either way.
  const isLess = upper === byUpper ? low < byLow : upper < byUpper;
  if (name === 'ltS' || name === 'ltU') return isLess;
  if (name === 'leS' || name === 'leU') return isLess || isEqual;
  if (name === 'gtS' || name === 'gtU') return !isLess && !isEqual;
  return !isLess;
}
