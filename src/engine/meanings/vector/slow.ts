import type { MeaningBuilder, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';

/** Fixed number of the assist that computes what vector handlers leave to TypeScript. */
export const ASSIST_VECTOR = 3;

/** Scratch of a slow operation: two operands, the result, and words. */
export const SLOW = {
  first: L.XMM_SCRATCH,
  second: L.XMM_SCRATCH + 16,
  result: L.XMM_SCRATCH + 32,
  operation: L.XMM_SCRATCH + 48,
  immediate: L.XMM_SCRATCH + 52,
  /** Lengths of strings going in, status flags coming out. */
  lengths: L.XMM_SCRATCH + 56,
} as const;

/** Operations the assist knows; their places in this list are their numbers. */
// biome-ignore format: a table
export const SLOW_OPERATIONS = [
  ...['ss', 'sd', 'ps', 'pd'].flatMap((type) => [
    `add${type}`, `sub${type}`, `mul${type}`, `div${type}`, `sqrt${type}`, `min${type}`, `max${type}`, `cmp${type}`,
    `round${type}`,
  ]),
  'rcpss', 'rcpps', 'rsqrtss', 'rsqrtps', 'addsubps', 'addsubpd', 'dpps', 'dppd',
  'comiss', 'comisd', 'ucomiss', 'ucomisd',
  'cvtss2sd', 'cvtsd2ss', 'cvtps2pd', 'cvtpd2ps', 'cvtdq2ps', 'cvtpi2ps',
  'cvtps2dq', 'cvttps2dq', 'cvtpd2dq', 'cvttpd2dq',
  'cvtps2pi', 'cvttps2pi',
  'cvtsi2ss32', 'cvtsi2ss64', 'cvtsi2sd64',
  'cvtss2si32', 'cvtss2si64', 'cvttss2si32', 'cvttss2si64', 'cvtsd2si32', 'cvtsd2si64', 'cvttsd2si32', 'cvttsd2si64',
  'mpsadbw', 'pcmpestri', 'pcmpestrm', 'pcmpistri', 'pcmpistrm',
] as const satisfies readonly string[];

function put(m: MeaningBuilder, address: number, value: V): void {
  const type = m.typeOf(value);
  if (type === 'v128') m.storeVector(m.i32(address), value);
  else m.store(m.i32(address), value, type === 'i64' ? 8 : 4);
}

/** Compute `operation` in TypeScript; the result is then in scratch. Leaves the handler if it raises an exception. */
export function slowly(m: MeaningBuilder, operation: string, a: V, b: V, immediate?: V): void {
  put(m, SLOW.first, a);
  put(m, SLOW.second, b);
  m.setState32(SLOW.operation, m.i32(SLOW_OPERATIONS.indexOf(operation as never)));
  if (immediate !== undefined) m.setState32(SLOW.immediate, immediate);
  m.instruction.assistWithin(ASSIST_VECTOR);
}

/** The vector a slow operation left. */
export const slowVector = (m: MeaningBuilder): V => m.loadVector(m.i32(SLOW.result));
