import { MXCSR } from '../state/layout.ts';
import { type FloatEnvironment, sseFaults, sseFlags, startSse } from './environment.ts';
import { SSE_CONVERSIONS } from './sse-conversions.ts';
import type { SseOperands, SseOperation } from './sse-operation.ts';
import {
  doubleAdd,
  doubleDivide,
  doubleMultiply,
  doubleSquareRoot,
  doubleSubtract,
  fastDifference,
  fastProduct,
  fastQuotient,
  fastRoot,
  fastSum,
} from './double.ts';
import { doubleOrder, doublePredicate, doubleSelect, singleOrder, singlePredicate, singleSelect } from './select.ts';
import {
  fastSingleDifference,
  fastSingleProduct,
  fastSingleQuotient,
  fastSingleRoot,
  fastSingleSum,
  singleAdd,
  singleDivide,
  singleMultiply,
  singleSquareRoot,
  singleSubtract,
} from './single.ts';

type Fast = (env: FloatEnvironment, x: number, y: number) => number;
type OnDouble = (env: FloatEnvironment, a: bigint, b: bigint) => bigint;
type OnSingle = (env: FloatEnvironment, a: number, b: number) => number;

const NEVER: Fast = () => NaN;

/** Whether neither operand is a NaN or a denormal: those need the exact routines. */
function arePlain(x: number, y: number, least: number): boolean {
  const a = Math.abs(x);
  const b = Math.abs(y);
  return (a >= least || a === 0) && (b >= least || b === 0);
}

const LEAST_DOUBLE = 2 ** -1022;
const LEAST_SINGLE = 2 ** -126;

const fastMinimum =
  (least: number): Fast =>
  (_env, x, y) =>
    !arePlain(x, y, least) ? NaN : x < y ? x : y;
const fastMaximum =
  (least: number): Fast =>
  (_env, x, y) =>
    !arePlain(x, y, least) ? NaN : x > y ? x : y;

function doubleLane(o: SseOperands, at: number, fast: Fast, exact: OnDouble): void {
  const { memory, destination, source, env } = o;
  const quick = fast(env, memory.getFloat64(destination + at, true), memory.getFloat64(source + at, true));
  if (!Number.isNaN(quick)) {
    o.out.setFloat64(at, quick, true);
    return;
  }
  const a = memory.getBigUint64(destination + at, true);
  o.out.setBigUint64(at, exact(env, a, memory.getBigUint64(source + at, true)), true);
}

function singleLane(o: SseOperands, at: number, fast: Fast, exact: OnSingle): void {
  const { memory, destination, source, env } = o;
  const quick = fast(env, memory.getFloat32(destination + at, true), memory.getFloat32(source + at, true));
  if (!Number.isNaN(quick)) {
    o.out.setFloat32(at, quick, true);
    return;
  }
  const a = memory.getUint32(destination + at, true);
  o.out.setUint32(at, exact(env, a, memory.getUint32(source + at, true)), true);
}

const doubles = (bytes: number, fast: Fast, exact: OnDouble): SseOperation => ({
  bytes,
  compute: (o) => {
    for (let at = 0; at < bytes; at += 8) doubleLane(o, at, fast, exact);
    return 0;
  },
});

const singles = (bytes: number, fast: Fast, exact: OnSingle): SseOperation => ({
  bytes,
  compute: (o) => {
    for (let at = 0; at < bytes; at += 4) singleLane(o, at, fast, exact);
    return 0;
  },
});

type Row = readonly [string, SseOperation];

/** The four forms of one arithmetic instruction. */
const forms = (name: string, fastDouble: Fast, onDouble: OnDouble, fastSingle: Fast, onSingle: OnSingle): Row[] => [
  [`${name}pd`, doubles(16, fastDouble, onDouble)],
  [`${name}sd`, doubles(8, fastDouble, onDouble)],
  [`${name}ps`, singles(16, fastSingle, onSingle)],
  [`${name}ss`, singles(4, fastSingle, onSingle)],
];

function compareForms(): Row[] {
  const ofDouble = (bytes: number): SseOperation => ({
    bytes,
    compute: (o) =>
      doubles(bytes, NEVER, (env, a, b) =>
        doublePredicate(env, a, b, o.immediate & 7) ? 0xffff_ffff_ffff_ffffn : 0n,
      ).compute(o),
  });
  const ofSingle = (bytes: number): SseOperation => ({
    bytes,
    compute: (o) =>
      singles(bytes, NEVER, (env, a, b) => (singlePredicate(env, a, b, o.immediate & 7) ? 0xffff_ffff : 0)).compute(o),
  });
  return [
    ['cmppd', ofDouble(16)],
    ['cmpsd', ofDouble(8)],
    ['cmpps', ofSingle(16)],
    ['cmpss', ofSingle(4)],
  ];
}

/** ZF PF CF by order: less, equal, greater, unordered (SDM vol. 2, COMISD). */
const FLAGS = [0x01, 0x40, 0x00, 0x45] as const;

function orderForms(): Row[] {
  const ofDouble = (signals: boolean): SseOperation => ({
    bytes: 0,
    compute: ({ env, memory, destination, source }) => {
      const x = memory.getFloat64(destination, true);
      const y = memory.getFloat64(source, true);
      if (arePlain(x, y, LEAST_DOUBLE)) return FLAGS[x < y ? 0 : x === y ? 1 : 2]!;
      const a = memory.getBigUint64(destination, true);
      return FLAGS[1 + doubleOrder(env, a, memory.getBigUint64(source, true), signals)]!;
    },
  });
  const ofSingle = (signals: boolean): SseOperation => ({
    bytes: 0,
    compute: ({ env, memory, destination, source }) => {
      const x = memory.getFloat32(destination, true);
      const y = memory.getFloat32(source, true);
      if (arePlain(x, y, LEAST_SINGLE)) return FLAGS[x < y ? 0 : x === y ? 1 : 2]!;
      const a = memory.getUint32(destination, true);
      return FLAGS[1 + singleOrder(env, a, memory.getUint32(source, true), signals)]!;
    },
  });
  return [
    ['comisd', ofDouble(true)],
    ['ucomisd', ofDouble(false)],
    ['comiss', ofSingle(true)],
    ['ucomiss', ofSingle(false)],
  ];
}

/** ADDSUB, HADD, HSUB: lane i of the result from two lanes of destination or source. */
function crosswise(
  name: string,
  size: 4 | 8,
  lanes: (lane: number) => [number, number],
  adds: (lane: number) => boolean,
): Row {
  const compute = (o: SseOperands): number => {
    const { env, memory } = o;
    for (let at = 0; at < 16; at += size) {
      const [from, to] = lanes(at / size);
      const place = (lane: number): number => (lane < 16 / size ? o.destination : o.source - 16) + lane * size;
      if (size === 8) {
        const a = memory.getBigUint64(place(from), true);
        const b = memory.getBigUint64(place(to), true);
        o.out.setBigUint64(at, adds(at / size) ? doubleAdd(env, a, b) : doubleSubtract(env, a, b), true);
      } else {
        const a = memory.getUint32(place(from), true);
        const b = memory.getUint32(place(to), true);
        o.out.setUint32(at, adds(at / size) ? singleAdd(env, a, b) : singleSubtract(env, a, b), true);
      }
    }
    return 0;
  };
  return [name, { bytes: 16, compute }];
}

const CROSSWISE: Row[] = ([8, 4] as const).flatMap((size): Row[] => {
  const suffix = size === 8 ? 'pd' : 'ps';
  const lanes = 16 / size;
  // biome-ignore format: a table
  return [
    crosswise(`addsub${suffix}`, size, (lane) => [lane, lanes + lane], (lane) => (lane & 1) === 1),
    crosswise(`hadd${suffix}`, size, (lane) => [2 * lane, 2 * lane + 1], () => true),
    crosswise(`hsub${suffix}`, size, (lane) => [2 * lane, 2 * lane + 1], () => false),
  ];
});

/** Ends a step of DPPS: its exceptions count before the next step begins. True when the instruction stops here. */
function endStep({ env, memory }: SseOperands): boolean {
  if (sseFaults(env)) return true;
  memory.setUint32(MXCSR, memory.getUint32(MXCSR, true) | env.raised, true);
  env.raised = 0;
  return false;
}

/** DPPS: products of the lanes in immediate 7:4, summed in pairs, to the lanes in immediate 3:0 (SDM vol. 2, DPPS). */
function dotSingle(o: SseOperands): number {
  const { env, memory } = o;
  const product = (lane: number): number =>
    ((o.immediate >> (4 + lane)) & 1) === 0
      ? 0
      : singleMultiply(
          env,
          memory.getUint32(o.destination + lane * 4, true),
          memory.getUint32(o.source + lane * 4, true),
        );
  const products = [product(0), product(1), product(2), product(3)];
  if (endStep(o)) return 0;
  const low = singleAdd(env, products[0]!, products[1]!);
  const high = singleAdd(env, products[2]!, products[3]!);
  if (endStep(o)) return 0;
  const sum = singleAdd(env, low, high);
  for (let lane = 0; lane < 4; lane++) o.out.setUint32(lane * 4, ((o.immediate >> lane) & 1) === 0 ? 0 : sum, true);
  return 0;
}

/** DPPD: the same for two lanes. */
function dotDouble(o: SseOperands): number {
  const { env, memory } = o;
  const product = (lane: number): bigint =>
    ((o.immediate >> (4 + lane)) & 1) === 0
      ? 0n
      : doubleMultiply(
          env,
          memory.getBigUint64(o.destination + lane * 8, true),
          memory.getBigUint64(o.source + lane * 8, true),
        );
  const low = product(0);
  const high = product(1);
  if (endStep(o)) return 0;
  const sum = doubleAdd(env, low, high);
  for (let lane = 0; lane < 2; lane++) o.out.setBigUint64(lane * 8, ((o.immediate >> lane) & 1) === 0 ? 0n : sum, true);
  return 0;
}

/** Every SSE to SSE4.2 instruction that depends on MXCSR, by its mnemonic in lower case. */
// biome-ignore format: a table
export const SSE_OPERATIONS: ReadonlyMap<string, SseOperation> = new Map<string, SseOperation>([
  ...forms('add', fastSum, doubleAdd, fastSingleSum, singleAdd),
  ...forms('sub', fastDifference, doubleSubtract, fastSingleDifference, singleSubtract),
  ...forms('mul', fastProduct, doubleMultiply, fastSingleProduct, singleMultiply),
  ...forms('div', fastQuotient, doubleDivide, fastSingleQuotient, singleDivide),
  ...forms('sqrt', fastRoot, (env, _a, b) => doubleSquareRoot(env, b),
    fastSingleRoot, (env, _a, b) => singleSquareRoot(env, b)),
  ...forms('min', fastMinimum(LEAST_DOUBLE), (env, a, b) => doubleSelect(env, a, b, false),
    fastMinimum(LEAST_SINGLE), (env, a, b) => singleSelect(env, a, b, false)),
  ...forms('max', fastMaximum(LEAST_DOUBLE), (env, a, b) => doubleSelect(env, a, b, true),
    fastMaximum(LEAST_SINGLE), (env, a, b) => singleSelect(env, a, b, true)),
  ...compareForms(),
  ...orderForms(),
  ...CROSSWISE,
  ['dpps', { bytes: 16, compute: dotSingle }],
  ['dppd', { bytes: 16, compute: dotDouble }],
  ...SSE_CONVERSIONS,
]);

/**
 * Runs an operation of SSE_OPERATIONS: reads MXCSR at its layout address, adds the flags raised, and unless #XM is due
 * writes the result over the destination (a 4-byte result for a general register is extended to 8 by zeros). Gives -1
 * for #XM, else RFLAGS' ZF PF CF for COMISS and its like and 0 for the others.
 */
export function executeSse(operation: SseOperation, operands: SseOperands): number {
  const { env, memory, destination, out } = operands;
  const mxcsr = memory.getUint32(MXCSR, true);
  startSse(env, mxcsr);
  const answer = operation.compute(operands);
  const flags = sseFlags(env);
  if ((flags & ~mxcsr) !== 0) memory.setUint32(MXCSR, memory.getUint32(MXCSR, true) | flags, true);
  if (sseFaults(env)) return -1;
  const { bytes } = operation;
  for (let at = 0; at < bytes; at += 4) memory.setUint32(destination + at, out.getUint32(at, true), true);
  return answer;
}
