import { afterAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import {
  doubleRound,
  doubleToInteger,
  doubleToSingle,
  integerToDouble,
  integerToSingle,
  singleRound,
  singleToDouble,
  singleToInteger,
} from '../../../src/engine/float/convert-sse.ts';
import {
  doubleAdd,
  doubleDivide,
  doubleMultiply,
  doubleSquareRoot,
  doubleSubtract,
} from '../../../src/engine/float/double.ts';
import { type FloatEnvironment, sseEnvironment, sseFaults, sseFlags } from '../../../src/engine/float/environment.ts';
import {
  doubleOrder,
  doublePredicate,
  doubleSelect,
  singleOrder,
  singlePredicate,
  singleSelect,
} from '../../../src/engine/float/select.ts';
import {
  singleAdd,
  singleDivide,
  singleMultiply,
  singleSquareRoot,
  singleSubtract,
} from '../../../src/engine/float/single.ts';
import {
  CAUGHT,
  CODE,
  type Draw,
  MXCSR,
  RAISED,
  RAX,
  RECORD,
  RFLAGS,
  XMM0,
  XMM1,
  buildOracle,
  draw32,
  draw64,
  drawBelow,
  drawOf,
} from '../native/oracle.ts';
import { drawDouble, drawSingle } from './operands.ts';

const oracle = buildOracle();
const CASES = casesOf('FLOAT_CASES', { whole: 1000, quick: 300 });
afterAll(() => oracle.remove());

interface Operands {
  a: bigint;
  b: bigint;
  rax: bigint;
}
interface Row {
  name: string;
  code: number[];
  /** Bits of an operand: 64 double, 32 single. */
  width: 32 | 64;
  /** Where the result is: xmm0's low bits, rax, or the flags. */
  result: 64 | 32 | 'rax32' | 'rax64' | 'flags';
  of(env: FloatEnvironment, o: Operands): bigint;
}

const single = (value: bigint): number => Number(BigInt.asUintN(32, value));
const flagsOf = (order: number): bigint => [1n, 0x40n, 0n, 0x45n][order + 1]!;

type Binary64 = (env: FloatEnvironment, a: bigint, b: bigint) => bigint;
type Binary32 = (env: FloatEnvironment, a: number, b: number) => number;
const double2 = (name: string, opcode: number, f: Binary64): Row => ({
  name,
  code: [0xf2, 0x0f, opcode, 0xc1],
  width: 64,
  result: 64,
  of: (env, o) => f(env, o.a, o.b),
});
const single2 = (name: string, opcode: number, f: Binary32): Row => ({
  name,
  code: [0xf3, 0x0f, opcode, 0xc1],
  width: 32,
  result: 32,
  of: (env, o) => BigInt(f(env, single(o.a), single(o.b))),
});

const ROWS: Row[] = [
  double2('addsd', 0x58, doubleAdd),
  single2('addss', 0x58, singleAdd),
  double2('subsd', 0x5c, doubleSubtract),
  single2('subss', 0x5c, singleSubtract),
  double2('mulsd', 0x59, doubleMultiply),
  single2('mulss', 0x59, singleMultiply),
  double2('divsd', 0x5e, doubleDivide),
  single2('divss', 0x5e, singleDivide),
  double2('sqrtsd', 0x51, (env, _a, b) => doubleSquareRoot(env, b)),
  single2('sqrtss', 0x51, (env, _a, b) => singleSquareRoot(env, b)),
  double2('minsd', 0x5d, (env, a, b) => doubleSelect(env, a, b, false)),
  single2('minss', 0x5d, (env, a, b) => singleSelect(env, a, b, false)),
  double2('maxsd', 0x5f, (env, a, b) => doubleSelect(env, a, b, true)),
  single2('maxss', 0x5f, (env, a, b) => singleSelect(env, a, b, true)),
  {
    name: 'cvtss2sd',
    code: [0xf3, 0x0f, 0x5a, 0xc1],
    width: 32,
    result: 64,
    of: (env, o) => singleToDouble(env, single(o.b)),
  },
  {
    name: 'cvtsd2ss',
    code: [0xf2, 0x0f, 0x5a, 0xc1],
    width: 64,
    result: 32,
    of: (env, o) => BigInt(doubleToSingle(env, o.b)),
  },
  {
    name: 'cvtsi2sd 32',
    code: [0xf2, 0x0f, 0x2a, 0xc0],
    width: 64,
    result: 64,
    of: (env, o) => integerToDouble(env, BigInt.asIntN(32, o.rax)),
  },
  {
    name: 'cvtsi2sd 64',
    code: [0xf2, 0x48, 0x0f, 0x2a, 0xc0],
    width: 64,
    result: 64,
    of: (env, o) => integerToDouble(env, BigInt.asIntN(64, o.rax)),
  },
  {
    name: 'cvtsi2ss 32',
    code: [0xf3, 0x0f, 0x2a, 0xc0],
    width: 32,
    result: 32,
    of: (env, o) => BigInt(integerToSingle(env, BigInt.asIntN(32, o.rax))),
  },
  {
    name: 'cvtsi2ss 64',
    code: [0xf3, 0x48, 0x0f, 0x2a, 0xc0],
    width: 32,
    result: 32,
    of: (env, o) => BigInt(integerToSingle(env, BigInt.asIntN(64, o.rax))),
  },
  ...(
    [
      [32, 'rax32', []],
      [64, 'rax64', [0x48]],
    ] as const
  ).flatMap(([width, result, rex]): Row[] =>
    [0x2c, 0x2d].flatMap((opcode): Row[] => [
      {
        name: `cvt${opcode === 0x2c ? 't' : ''}sd2si ${width}`,
        code: [0xf2, ...rex, 0x0f, opcode, 0xc1],
        width: 64,
        result,
        of: (env, o) => doubleToInteger(env, o.b, width, opcode === 0x2c),
      },
      {
        name: `cvt${opcode === 0x2c ? 't' : ''}ss2si ${width}`,
        code: [0xf3, ...rex, 0x0f, opcode, 0xc1],
        width: 32,
        result,
        of: (env, o) => singleToInteger(env, single(o.b), width, opcode === 0x2c),
      },
    ]),
  ),
  ...[0, 1, 2, 3, 4, 8, 11, 12].flatMap((immediate): Row[] => [
    {
      name: `roundsd ${immediate}`,
      code: [0x66, 0x0f, 0x3a, 0x0b, 0xc1, immediate],
      width: 64,
      result: 64,
      of: (env, o) => doubleRound(env, o.b, immediate),
    },
    {
      name: `roundss ${immediate}`,
      code: [0x66, 0x0f, 0x3a, 0x0a, 0xc1, immediate],
      width: 32,
      result: 32,
      of: (env, o) => BigInt(singleRound(env, single(o.b), immediate)),
    },
  ]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((predicate): Row[] => [
    {
      name: `cmpsd ${predicate}`,
      code: [0xf2, 0x0f, 0xc2, 0xc1, predicate],
      width: 64,
      result: 64,
      of: (env, o) => (doublePredicate(env, o.a, o.b, predicate) ? 0xffff_ffff_ffff_ffffn : 0n),
    },
    {
      name: `cmpss ${predicate}`,
      code: [0xf3, 0x0f, 0xc2, 0xc1, predicate],
      width: 32,
      result: 32,
      of: (env, o) => (singlePredicate(env, single(o.a), single(o.b), predicate) ? 0xffff_ffffn : 0n),
    },
  ]),
  ...[0x2e, 0x2f].flatMap((opcode): Row[] => [
    {
      name: `${opcode === 0x2e ? 'u' : ''}comisd`,
      code: [0x66, 0x0f, opcode, 0xc1],
      width: 64,
      result: 'flags',
      of: (env, o) => flagsOf(doubleOrder(env, o.a, o.b, opcode === 0x2f)),
    },
    {
      name: `${opcode === 0x2e ? 'u' : ''}comiss`,
      code: [0x0f, opcode, 0xc1],
      width: 32,
      result: 'flags',
      of: (env, o) => flagsOf(singleOrder(env, single(o.a), single(o.b), opcode === 0x2f)),
    },
  ]),
];

function drawMxcsr(draw: Draw): number {
  const rounding = drawBelow(draw, 2) === 0 ? 0 : drawBelow(draw, 4);
  const masks = drawBelow(draw, 4) === 0 ? draw32(draw) & 0x3f : 0x3f;
  const modes = drawBelow(draw, 3) === 0 ? draw32(draw) & 0x8040 : 0;
  const flags = drawBelow(draw, 3) === 0 ? draw32(draw) & 0x3f & masks : 0;
  return (rounding << 13) | (masks << 7) | modes | flags;
}

function fill(view: DataView, base: number, row: Row, draw: Draw): void {
  const operand = (): bigint => (row.width === 64 ? drawDouble(draw) : BigInt(drawSingle(draw)));
  view.setUint8(base, row.code.length);
  row.code.forEach((byte, index) => view.setUint8(base + CODE + index, byte));
  const a = operand();
  const b = drawBelow(draw, 8) === 0 ? a + BigInt(drawBelow(draw, 3)) : operand();
  view.setBigUint64(base + XMM0, a, true);
  view.setBigUint64(base + XMM1, b, true);
  view.setBigUint64(base + RAX, draw64(draw) >> BigInt(drawOf(draw, [0, 0, 1, 8, 31, 32, 33, 48])), true);
  view.setUint32(base + RFLAGS, 0x202, true);
  view.setUint32(base + MXCSR, drawMxcsr(draw), true);
}

interface Outcome {
  result: bigint;
  mxcsr: number;
  faulted: boolean;
}

function observed(view: DataView, base: number, row: Row): Outcome {
  const faulted = view.getUint32(base + CAUGHT, true) !== 0;
  const mxcsr = view.getUint32(base + MXCSR, true);
  const low = view.getBigUint64(base + XMM0, true);
  const rax = view.getBigUint64(base + RAX, true);
  const result =
    row.result === 64
      ? low
      : row.result === 32
        ? BigInt.asUintN(32, low)
        : row.result === 'rax64'
          ? rax
          : row.result === 'rax32'
            ? BigInt.asUintN(32, rax)
            : BigInt(view.getUint32(base + RFLAGS, true) & 0x8d5);
  return { result: faulted ? 0n : result, mxcsr, faulted };
}

function computed(view: DataView, base: number, row: Row): Outcome {
  const mxcsr = view.getUint32(base + MXCSR, true);
  const env = sseEnvironment(mxcsr);
  const o = {
    a: view.getBigUint64(base + XMM0, true),
    b: view.getBigUint64(base + XMM1, true),
    rax: view.getBigUint64(base + RAX, true),
  };
  const raw = row.of(env, o);
  const width = row.result === 'rax32' || row.result === 32 ? 32 : 64;
  const faulted = sseFaults(env);
  return { result: faulted ? 0n : BigInt.asUintN(width, raw), mxcsr: mxcsr | sseFlags(env), faulted };
}

function mismatches(row: Row, cases: number): string[] {
  oracle.relyOn(row.code, RAISED.XM);
  const draw: Draw = { state: 0x1234_5678 ^ row.code.reduce((sum, byte) => sum * 31 + byte, 7) };
  const records = new Uint8Array(cases * RECORD);
  const view = new DataView(records.buffer);
  for (let index = 0; index < cases; index++) fill(view, index * RECORD, row, draw);
  const answers = oracle.run(records);
  const answer = new DataView(answers.buffer, answers.byteOffset);
  const found: string[] = [];
  for (let index = 0; index < cases; index++) {
    const base = index * RECORD;
    const want = observed(answer, base, row);
    const have = computed(view, base, row);
    if (want.result === have.result && want.mxcsr === have.mxcsr && want.faulted === have.faulted) continue;
    const text = (o: Outcome): string => `${o.result.toString(16)} mxcsr ${o.mxcsr.toString(16)} fault ${o.faulted}`;
    found.push(
      `${row.name} a=${view.getBigUint64(base + XMM0, true).toString(16)} b=${view
        .getBigUint64(base + XMM1, true)
        .toString(16)} rax=${view.getBigUint64(base + RAX, true).toString(16)} mxcsr=${view
        .getUint32(base + MXCSR, true)
        .toString(16)}: host ${text(want)}, ours ${text(have)}`,
    );
  }
  return found;
}

describe('SSE scalar arithmetic', without(oracle.missing), () => {
  it.each(ROWS.map((row) => [row.name, row] as const))(
    '%s agrees with the host processor, flags and faults included',
    (_name, row) => {
      const found = mismatches(row, CASES);
      expect(found.slice(0, 5), `${found.length} mismatches`).toEqual([]);
    },
  );
});
