import {
  doubleRound,
  doubleToInteger,
  doubleToSingle,
  integerToDouble,
  integerToSingle,
  singleReciprocal,
  singleReciprocalSquareRoot,
  singleRound,
  singleToDouble,
  singleToInteger,
} from './convert-sse.ts';
import { PE, ROUND_NEAREST } from './environment.ts';
import type { SseOperands, SseOperation } from './sse-operation.ts';

type Lane = (o: SseOperands, lane: number) => void;

/** An operation of so many lanes whose destination takes `bytes`; the rest of the destination's 16 bytes is kept. */
const lanes = (bytes: number, count: number, lane: Lane): SseOperation => ({
  bytes,
  compute: (o) => {
    for (let at = bytes - 8; at >= 0; at -= 8) o.out.setBigUint64(at, 0n, true);
    for (let index = 0; index < count; index++) lane(o, index);
    return 0;
  },
});

const single = (o: SseOperands, lane: number): number => o.memory.getUint32(o.source + lane * 4, true);
const double = (o: SseOperands, lane: number): bigint => o.memory.getBigUint64(o.source + lane * 8, true);
const integer = (o: SseOperands, lane: number): bigint => BigInt(o.memory.getInt32(o.source + lane * 4, true));
const setSingle = (o: SseOperands, lane: number, value: number): void => o.out.setUint32(lane * 4, value, true);
const setDouble = (o: SseOperands, lane: number, value: bigint): void => o.out.setBigUint64(lane * 8, value, true);
const setInteger = (o: SseOperands, lane: number, value: bigint): void => o.out.setInt32(lane * 4, Number(value), true);

/** A general register or memory integer of 4 or 8 bytes. */
function general(o: SseOperands): bigint {
  return o.width === 8 ? o.memory.getBigInt64(o.source, true) : integer(o, 0);
}

/** Into a general register: 32-bit results clear its upper half. */
function toGeneral(o: SseOperands, value: bigint): void {
  o.out.setBigUint64(0, o.width === 8 ? BigInt.asUintN(64, value) : BigInt.asUintN(32, value), true);
}

const widthOf = (o: SseOperands): 32 | 64 => (o.width === 8 ? 64 : 32);

function toInteger(truncate: boolean): [Lane, Lane] {
  return [
    (o, lane) => setInteger(o, lane, singleToInteger(o.env, single(o, lane), 32, truncate)),
    (o, lane) => setInteger(o, lane, doubleToInteger(o.env, double(o, lane), 32, truncate)),
  ];
}

const [singleRounded, doubleRounded] = toInteger(false);
const [singleTruncated, doubleTruncated] = toInteger(true);
const toSingles: Lane = (o, lane) => setSingle(o, lane, integerToSingle(o.env, integer(o, lane)));
const toDoubles: Lane = (o, lane) => o.out.setFloat64(lane * 8, o.memory.getInt32(o.source + lane * 4, true), true);

/** CVTSS2SD: every number but a denormal or a NaN widens without an exception. */
const widened: Lane = (o, lane) => {
  const x = o.memory.getFloat32(o.source + lane * 4, true);
  if (x === 0 || Math.abs(x) >= 2 ** -126) o.out.setFloat64(lane * 8, x, true);
  else setDouble(o, lane, singleToDouble(o.env, single(o, lane)));
};

/** CVTSD2SS: the processor's own rounding serves for nearest, away from overflow and underflow. */
const narrowed: Lane = (o, lane) => {
  const x = o.memory.getFloat64(o.source + lane * 8, true);
  const size = Math.abs(x);
  if (o.env.rounding === ROUND_NEAREST && (x === 0 || (size >= 2 ** -125 && size <= 2 ** 127))) {
    if (Math.fround(x) !== x) o.env.raised |= PE;
    o.out.setFloat32(lane * 4, x, true);
    return;
  }
  setSingle(o, lane, doubleToSingle(o.env, double(o, lane)));
};

/** Adding and subtracting this rounds a number below 2^51 to the nearest even integer. */
const ROUNDER = 1.5 * 2 ** 52;

/** A normal number below 2^31 as an integer, PE noted; undefined where only exact arithmetic will do. */
function quickInteger(o: SseOperands, x: number, truncate: boolean): number | undefined {
  const size = Math.abs(x);
  if (!(size < 2147483647) || (size < 2 ** -126 && x !== 0)) return undefined;
  if (!truncate && o.env.rounding !== ROUND_NEAREST) return undefined;
  const rounded = truncate ? Math.trunc(x) : x + ROUNDER - ROUNDER;
  if (rounded !== x) o.env.raised |= PE;
  return rounded;
}
const roundedSingle: Lane = (o, lane) => setSingle(o, lane, singleRound(o.env, single(o, lane), o.immediate));
const roundedDouble: Lane = (o, lane) => setDouble(o, lane, doubleRound(o.env, double(o, lane), o.immediate));
const reciprocal: Lane = (o, lane) => setSingle(o, lane, singleReciprocal(single(o, lane)));
const reciprocalRoot: Lane = (o, lane) => setSingle(o, lane, singleReciprocalSquareRoot(single(o, lane)));

/** The same as toGeneral for an integer of 32 bits. */
function toGeneralQuick(o: SseOperands, value: number): void {
  o.out.setInt32(0, value, true);
  o.out.setInt32(4, o.width === 8 && value < 0 ? -1 : 0, true);
}

const generalFromSingle = (truncate: boolean): SseOperation =>
  lanes(8, 1, (o) => {
    const quick = quickInteger(o, o.memory.getFloat32(o.source, true), truncate);
    if (quick !== undefined) toGeneralQuick(o, quick);
    else toGeneral(o, singleToInteger(o.env, single(o, 0), widthOf(o), truncate));
  });
const generalFromDouble = (truncate: boolean): SseOperation =>
  lanes(8, 1, (o) => {
    const quick = quickInteger(o, o.memory.getFloat64(o.source, true), truncate);
    if (quick !== undefined) toGeneralQuick(o, quick);
    else toGeneral(o, doubleToInteger(o.env, double(o, 0), widthOf(o), truncate));
  });

/** CVTSI2SD: 32-bit integers are exact. */
function generalToDouble(o: SseOperands): void {
  if (o.width === 8) setDouble(o, 0, integerToDouble(o.env, general(o)));
  else o.out.setFloat64(0, o.memory.getInt32(o.source, true), true);
}

/** Conversions, roundings and approximations, by mnemonic. */
// biome-ignore format: a table
export const SSE_CONVERSIONS: readonly (readonly [string, SseOperation])[] = [
  ['cvtss2sd', lanes(8, 1, widened)], ['cvtps2pd', lanes(16, 2, widened)],
  ['cvtsd2ss', lanes(4, 1, narrowed)], ['cvtpd2ps', lanes(16, 2, narrowed)],
  ['cvtdq2ps', lanes(16, 4, toSingles)], ['cvtdq2pd', lanes(16, 2, toDoubles)],
  ['cvtps2dq', lanes(16, 4, singleRounded)], ['cvttps2dq', lanes(16, 4, singleTruncated)],
  ['cvtpd2dq', lanes(16, 2, doubleRounded)], ['cvttpd2dq', lanes(16, 2, doubleTruncated)],
  ['cvtpi2ps', lanes(8, 2, toSingles)], ['cvtpi2pd', lanes(16, 2, toDoubles)],
  ['cvtps2pi', lanes(8, 2, singleRounded)], ['cvttps2pi', lanes(8, 2, singleTruncated)],
  ['cvtpd2pi', lanes(8, 2, doubleRounded)], ['cvttpd2pi', lanes(8, 2, doubleTruncated)],
  ['cvtsi2ss', lanes(4, 1, (o) => setSingle(o, 0, integerToSingle(o.env, general(o))))],
  ['cvtsi2sd', lanes(8, 1, generalToDouble)],
  ['cvtss2si', generalFromSingle(false)], ['cvttss2si', generalFromSingle(true)],
  ['cvtsd2si', generalFromDouble(false)], ['cvttsd2si', generalFromDouble(true)],
  ['roundss', lanes(4, 1, roundedSingle)], ['roundps', lanes(16, 4, roundedSingle)],
  ['roundsd', lanes(8, 1, roundedDouble)], ['roundpd', lanes(16, 2, roundedDouble)],
  ['rcpss', lanes(4, 1, reciprocal)], ['rcpps', lanes(16, 4, reciprocal)],
  ['rsqrtss', lanes(4, 1, reciprocalRoot)], ['rsqrtps', lanes(16, 4, reciprocalRoot)],
];
