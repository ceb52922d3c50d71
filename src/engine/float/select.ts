import { compare } from './convert.ts';
import { type FloatEnvironment, IE } from './environment.ts';
import { packDouble, packSingle, unpackDouble, unpackSingle } from './formats.ts';
import { QUIET, type Unpacked, ZERO } from './unpacked.ts';

/** 1 or 2: which operand MIN (or MAX) keeps: the second whenever it is in doubt (SDM vol. 2, MINSD). */
function kept(env: FloatEnvironment, a: Unpacked, b: Unpacked, max: boolean): number {
  if (a.kind >= QUIET || b.kind >= QUIET) {
    env.raised |= IE;
    return 2;
  }
  const order = compare(env, a, b, true);
  return order === (max ? 1 : -1) ? 1 : 2;
}

/** MINSD (or MAXSD) on bit patterns. */
export function doubleSelect(env: FloatEnvironment, a: bigint, b: bigint, max: boolean): bigint {
  const daz = env.denormalsAreZero;
  const x = unpackDouble(a, daz);
  const y = unpackDouble(b, daz);
  const first = kept(env, x, y, max) === 1;
  if ((first ? x : y).kind === ZERO) return packDouble(first ? x : y);
  return first ? a : b;
}

/** MINSS (or MAXSS) on bit patterns. */
export function singleSelect(env: FloatEnvironment, a: number, b: number, max: boolean): number {
  const daz = env.denormalsAreZero;
  const x = unpackSingle(a, daz);
  const y = unpackSingle(b, daz);
  const first = kept(env, x, y, max) === 1;
  if ((first ? x : y).kind === ZERO) return packSingle(first ? x : y);
  return first ? a : b;
}

/** Order of two binary64 numbers for COMISD (`signalsQuiet`) and UCOMISD: -1, 0, 1, or 2 for unordered. */
export function doubleOrder(env: FloatEnvironment, a: bigint, b: bigint, signalsQuiet: boolean): number {
  const daz = env.denormalsAreZero;
  return compare(env, unpackDouble(a, daz), unpackDouble(b, daz), signalsQuiet);
}

/** Order of two binary32 numbers for COMISS (`signalsQuiet`) and UCOMISS: -1, 0, 1, or 2 for unordered. */
export function singleOrder(env: FloatEnvironment, a: number, b: number, signalsQuiet: boolean): number {
  const daz = env.denormalsAreZero;
  return compare(env, unpackSingle(a, daz), unpackSingle(b, daz), signalsQuiet);
}

/** Which orders (-1, 0, 1, unordered as bits 0..3) make predicate 0..7 of CMPPD true (SDM vol. 2, table 3-1). */
const PREDICATES = [0b0010, 0b0001, 0b0011, 0b1000, 0b1101, 0b1110, 0b1100, 0b0111] as const;

/** Whether a predicate of CMPPD treats a QNaN as invalid: LT, LE, NLT, NLE. */
function predicateSignals(predicate: number): boolean {
  return (predicate & 3) === 1 || (predicate & 3) === 2;
}

/** CMPSD: whether the predicate (0..7) holds. */
export function doublePredicate(env: FloatEnvironment, a: bigint, b: bigint, predicate: number): boolean {
  const order = doubleOrder(env, a, b, predicateSignals(predicate));
  return ((PREDICATES[predicate & 7]! >> (order + 1)) & 1) !== 0;
}

/** CMPSS: whether the predicate (0..7) holds. */
export function singlePredicate(env: FloatEnvironment, a: number, b: number, predicate: number): boolean {
  const order = singleOrder(env, a, b, predicateSignals(predicate));
  return ((PREDICATES[predicate & 7]! >> (order + 1)) & 1) !== 0;
}
