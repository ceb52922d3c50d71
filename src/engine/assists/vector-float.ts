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
} from '../float/convert-sse.ts';
import { doubleAdd, doubleDivide, doubleMultiply, doubleSquareRoot, doubleSubtract } from '../float/double.ts';
import { type FloatEnvironment, sseEnvironment, sseFaults, sseFlags, startSse } from '../float/environment.ts';
import {
  doubleOrder,
  doublePredicate,
  doubleSelect,
  singleOrder,
  singlePredicate,
  singleSelect,
} from '../float/select.ts';
import { singleAdd, singleDivide, singleMultiply, singleSquareRoot, singleSubtract } from '../float/single.ts';
import { SLOW } from '../meanings/vector/slow.ts';
import type { SlowContext, SlowRoutine } from './slow-routine.ts';

type Single = (env: FloatEnvironment, a: number, b: number, immediate: number) => number;
type Double = (env: FloatEnvironment, a: bigint, b: bigint, immediate: number) => bigint;

const single = (c: SlowContext, at: number, lane: number): number => c.view.getUint32(at + 4 * lane, true);
const double = (c: SlowContext, at: number, lane: number): bigint => c.view.getBigUint64(at + 8 * lane, true);
const setSingle = (c: SlowContext, lane: number, value: number): void =>
  c.view.setUint32(SLOW.result + 4 * lane, value, true);
const setDouble = (c: SlowContext, lane: number, value: bigint): void =>
  c.view.setBigUint64(SLOW.result + 8 * lane, BigInt.asUintN(64, value), true);

/** Run `body` in the environment of MXCSR and report what it raised. */
function reported(c: SlowContext, body: (env: FloatEnvironment) => void): void {
  const env = sseEnvironment(c.mxcsr);
  body(env);
  c.mxcsr |= sseFlags(env);
  c.faults = sseFaults(env);
}

/** An operation on the first `count` elements of both operands. */
const singles =
  (count: 1 | 4, operation: Single): SlowRoutine =>
  (c) =>
    reported(c, (env) => {
      for (let i = 0; i < count; i++) {
        setSingle(c, i, operation(env, single(c, SLOW.first, i), single(c, SLOW.second, i), c.immediate));
      }
    });

const doubles =
  (count: 1 | 2, operation: Double): SlowRoutine =>
  (c) =>
    reported(c, (env) => {
      for (let i = 0; i < count; i++) {
        setDouble(c, i, operation(env, double(c, SLOW.first, i), double(c, SLOW.second, i), c.immediate));
      }
    });

const SINGLES: Readonly<Record<string, Single>> = {
  add: singleAdd,
  sub: singleSubtract,
  mul: singleMultiply,
  div: singleDivide,
  sqrt: (env, _, b) => singleSquareRoot(env, b),
  min: (env, a, b) => singleSelect(env, a, b, false),
  max: (env, a, b) => singleSelect(env, a, b, true),
  cmp: (env, a, b, immediate) => (singlePredicate(env, a, b, immediate & 7) ? 0xffff_ffff : 0),
  round: (env, _, b, immediate) => singleRound(env, b, immediate),
  rcp: (_env, _, b) => singleReciprocal(b),
  rsqrt: (_env, _, b) => singleReciprocalSquareRoot(b),
};

const DOUBLES: Readonly<Record<string, Double>> = {
  add: doubleAdd,
  sub: doubleSubtract,
  mul: doubleMultiply,
  div: doubleDivide,
  sqrt: (env, _, b) => doubleSquareRoot(env, b),
  min: (env, a, b) => doubleSelect(env, a, b, false),
  max: (env, a, b) => doubleSelect(env, a, b, true),
  cmp: (env, a, b, immediate) => (doublePredicate(env, a, b, immediate & 7) ? 0xffff_ffff_ffff_ffffn : 0n),
  round: (env, _, b, immediate) => doubleRound(env, b, immediate),
};

const order =
  (of: (c: SlowContext, env: FloatEnvironment) => number): SlowRoutine =>
  (c) =>
    reported(c, (env) => c.view.setInt32(SLOW.result, of(c, env), true));

const addSubtractPs: SlowRoutine = (c) =>
  reported(c, (env) => {
    for (let i = 0; i < 4; i++) {
      const operation = (i & 1) === 0 ? singleSubtract : singleAdd;
      setSingle(c, i, operation(env, single(c, SLOW.first, i), single(c, SLOW.second, i)));
    }
  });

const addSubtractPd: SlowRoutine = (c) =>
  reported(c, (env) => {
    setDouble(c, 0, doubleSubtract(env, double(c, SLOW.first, 0), double(c, SLOW.second, 0)));
    setDouble(c, 1, doubleAdd(env, double(c, SLOW.first, 1), double(c, SLOW.second, 1)));
  });

/** Flags of the steps of a dot product are gathered; an unmasked exception in one step ends it. SDM Vol. 2A, DPPS. */
function step<T>(c: SlowContext, env: FloatEnvironment, body: () => T): T | undefined {
  startSse(env, c.mxcsr);
  const value = body();
  c.mxcsr |= sseFlags(env);
  c.faults ||= sseFaults(env);
  return value;
}

const dotProductPs: SlowRoutine = (c) => {
  const env = sseEnvironment(c.mxcsr);
  const products = [0, 1, 2, 3].map((i) => ((c.immediate >> (4 + i)) & 1 ? i : -1));
  const terms = step(c, env, () =>
    products.map((i) => (i < 0 ? 0 : singleMultiply(env, single(c, SLOW.first, i), single(c, SLOW.second, i)))),
  ) as number[];
  if (c.faults) return;
  const [t0, t1, t2, t3] = terms as [number, number, number, number];
  const halves = step(c, env, () => [singleAdd(env, t0, t1), singleAdd(env, t2, t3)]) as number[];
  if (c.faults) return;
  const sum = step(c, env, () => singleAdd(env, halves[0] as number, halves[1] as number)) as number;
  for (let i = 0; i < 4; i++) setSingle(c, i, (c.immediate >> i) & 1 ? sum : 0);
};

const dotProductPd: SlowRoutine = (c) => {
  const env = sseEnvironment(c.mxcsr);
  const [t0, t1] = step(c, env, () =>
    [0, 1].map((i) =>
      (c.immediate >> (4 + i)) & 1 ? doubleMultiply(env, double(c, SLOW.first, i), double(c, SLOW.second, i)) : 0n,
    ),
  ) as [bigint, bigint];
  if (c.faults) return;
  const sum = step(c, env, () => doubleAdd(env, t0, t1)) as bigint;
  for (let i = 0; i < 2; i++) setDouble(c, i, (c.immediate >> i) & 1 ? sum : 0n);
};

/** Conversions read the first operand. */
const conversion =
  (body: (c: SlowContext, env: FloatEnvironment) => void): SlowRoutine =>
  (c) =>
    reported(c, (env) => body(c, env));

const low = (value: bigint): number => Number(BigInt.asUintN(32, value));

const singlesToIntegers = (count: 2 | 4, truncate: boolean): SlowRoutine =>
  conversion((c, env) => {
    for (let i = 0; i < count; i++) {
      setSingle(c, i, low(singleToInteger(env, single(c, SLOW.first, i), 32, truncate)));
    }
  });

const doublesToIntegers = (truncate: boolean): SlowRoutine =>
  conversion((c, env) => {
    for (let i = 0; i < 2; i++) {
      setSingle(c, i, low(doubleToInteger(env, double(c, SLOW.first, i), 32, truncate)));
    }
    setDouble(c, 1, 0n);
  });

const integersToSingles = (count: 2 | 4): SlowRoutine =>
  conversion((c, env) => {
    for (let i = 0; i < count; i++) setSingle(c, i, integerToSingle(env, BigInt(single(c, SLOW.first, i) | 0)));
  });

const toInteger = (name: 'ss' | 'sd', width: 32 | 64, truncate: boolean): SlowRoutine =>
  conversion((c, env) => {
    const value =
      name === 'ss'
        ? singleToInteger(env, single(c, SLOW.first, 0), width, truncate)
        : doubleToInteger(env, double(c, SLOW.first, 0), width, truncate);
    setDouble(c, 0, value);
  });

const CONVERSIONS: Readonly<Record<string, SlowRoutine>> = {
  cvtss2sd: conversion((c, env) => setDouble(c, 0, singleToDouble(env, single(c, SLOW.first, 0)))),
  cvtsd2ss: conversion((c, env) => setSingle(c, 0, doubleToSingle(env, double(c, SLOW.first, 0)))),
  cvtps2pd: conversion((c, env) => {
    const both = [0, 1].map((i) => singleToDouble(env, single(c, SLOW.first, i)));
    both.forEach((value, i) => setDouble(c, i, value));
  }),
  cvtpd2ps: conversion((c, env) => {
    for (let i = 0; i < 2; i++) setSingle(c, i, doubleToSingle(env, double(c, SLOW.first, i)));
    setDouble(c, 1, 0n);
  }),
  cvtdq2ps: integersToSingles(4),
  cvtpi2ps: integersToSingles(2),
  cvtps2dq: singlesToIntegers(4, false),
  cvttps2dq: singlesToIntegers(4, true),
  cvtps2pi: singlesToIntegers(2, false),
  cvttps2pi: singlesToIntegers(2, true),
  cvtpd2dq: doublesToIntegers(false),
  cvttpd2dq: doublesToIntegers(true),
  cvtsi2ss32: conversion((c, env) => setSingle(c, 0, integerToSingle(env, BigInt(single(c, SLOW.first, 0) | 0)))),
  cvtsi2ss64: conversion((c, env) => setSingle(c, 0, integerToSingle(env, c.view.getBigInt64(SLOW.first, true)))),
  cvtsi2sd64: conversion((c, env) => setDouble(c, 0, integerToDouble(env, c.view.getBigInt64(SLOW.first, true)))),
  ...Object.fromEntries(
    (['ss', 'sd'] as const).flatMap((name) =>
      ([32, 64] as const).flatMap((width) => [
        [`cvt${name}2si${width}`, toInteger(name, width, false)],
        [`cvtt${name}2si${width}`, toInteger(name, width, true)],
      ]),
    ),
  ),
};

/** Floating-point operations on operands in scratch, by name, exact in every exception and rounding mode. */
export const FLOAT_ROUTINES: Readonly<Record<string, SlowRoutine | undefined>> = {
  ...Object.fromEntries(
    Object.entries(SINGLES).flatMap(([name, operation]) => [
      [`${name}ss`, singles(1, operation)],
      [`${name}ps`, singles(4, operation)],
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(DOUBLES).flatMap(([name, operation]) => [
      [`${name}sd`, doubles(1, operation)],
      [`${name}pd`, doubles(2, operation)],
    ]),
  ),
  addsubps: addSubtractPs,
  addsubpd: addSubtractPd,
  dpps: dotProductPs,
  dppd: dotProductPd,
  comiss: order((c, env) => singleOrder(env, single(c, SLOW.first, 0), single(c, SLOW.second, 0), true)),
  comisd: order((c, env) => doubleOrder(env, double(c, SLOW.first, 0), double(c, SLOW.second, 0), true)),
  ucomiss: order((c, env) => singleOrder(env, single(c, SLOW.first, 0), single(c, SLOW.second, 0), false)),
  ucomisd: order((c, env) => doubleOrder(env, double(c, SLOW.first, 0), double(c, SLOW.second, 0), false)),
  ...CONVERSIONS,
};
