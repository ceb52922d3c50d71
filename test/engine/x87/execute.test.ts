import { afterAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { buildOracle } from '../native/oracle.ts';
import { type X87Row, mismatches } from './case.ts';

const oracle = buildOracle();
const CASES = casesOf('FLOAT_CASES', { whole: 700, quick: 100 });
afterAll(() => oracle.remove());

const ARITHMETIC = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];

const row = (name: string, opcode: number, modrm: number, operand: X87Row['operand'] = 'none'): X87Row => ({
  name,
  opcode,
  modrm,
  operand,
});
/** The manual clears C1 here; AMD's processors leave it. */
const withoutC1 = (r: X87Row): X87Row => ({ ...r, undefinedFsw: 0x200 });
/** Opcodes in no manual that processors take for these. */
const twinOf = (r: X87Row, ...twin: number[]): X87Row => ({ ...r, twin });
/** #UD, as everything that the manual reserves. */
const reserved = (name: string, opcode: number, modrm: number): X87Row => ({
  ...row(`undefined ${name}`, opcode, modrm),
  isReserved: true,
});
/** ModRM of a memory form: [rdi]. */
const memory = (reg: number): number => (reg << 3) | 7;

const ROWS: X87Row[] = [
  ...ARITHMETIC.flatMap((name, reg) => [
    row(`${name} m32`, 0xd8, memory(reg), 'm32'),
    row(`${name} m64`, 0xdc, memory(reg), 'm64'),
    row(`${name} m32int`, 0xda, memory(reg), 'int'),
    row(`${name} m16int`, 0xde, memory(reg), 'int'),
    row(`${name} st0, st1`, 0xd8, 0xc0 | (reg << 3) | 1),
    row(`${name} st0, st0`, 0xd8, 0xc0 | (reg << 3)),
    row(`${name} st1, st0`, 0xdc, 0xc0 | (reg << 3) | 1),
    ...(reg === 3 ? [] : [row(`${name}p st1, st0`, 0xde, 0xc0 | (reg << 3) | 1)]),
  ]),
  row('fcompp', 0xde, 0xd9),
  row('fld m32', 0xd9, memory(0), 'm32'),
  row('fst m32', 0xd9, memory(2)),
  row('fstp m32', 0xd9, memory(3)),
  row('fldenv', 0xd9, memory(4), 'env'),
  row('fldcw', 0xd9, memory(5), 'm16'),
  row('fnstenv', 0xd9, memory(6)),
  row('fnstcw', 0xd9, memory(7)),
  ...(
    [
      ['fldenv', 0xd9, 4, 'env'],
      ['fnstenv', 0xd9, 6, 'none'],
      ['frstor', 0xdd, 4, 'image'],
      ['fnsave', 0xdd, 6, 'none'],
    ] as const
  ).map(
    ([name, opcode, reg, operand]): X87Row => ({
      ...row(`${name} 16-bit`, opcode, memory(reg), operand),
      operand16: true,
    }),
  ),
  row('fild m32', 0xdb, memory(0)),
  row('fisttp m32', 0xdb, memory(1)),
  row('fist m32', 0xdb, memory(2)),
  row('fistp m32', 0xdb, memory(3)),
  row('fld m80', 0xdb, memory(5), 'm80'),
  row('fstp m80', 0xdb, memory(7)),
  row('fld m64', 0xdd, memory(0), 'm64'),
  row('fisttp m64', 0xdd, memory(1)),
  row('fst m64', 0xdd, memory(2)),
  row('fstp m64', 0xdd, memory(3)),
  row('frstor', 0xdd, memory(4), 'image'),
  row('fnsave', 0xdd, memory(6)),
  row('fnstsw', 0xdd, memory(7)),
  row('fild m16', 0xdf, memory(0)),
  row('fisttp m16', 0xdf, memory(1)),
  row('fist m16', 0xdf, memory(2)),
  row('fistp m16', 0xdf, memory(3)),
  row('fbld', 0xdf, memory(4), 'bcd'),
  row('fild m64', 0xdf, memory(5)),
  row('fbstp', 0xdf, memory(6)),
  row('fistp m64', 0xdf, memory(7)),
  row('fld st2', 0xd9, 0xc2),
  row('fxch st1', 0xd9, 0xc9),
  row('fnop', 0xd9, 0xd0),
  { ...row('fstp1 st1', 0xd9, 0xd9), twin: [0xdd, 0xd9], twinOfEmpty: [0xd9, 0xf7] },
  row('fchs', 0xd9, 0xe0),
  row('fabs', 0xd9, 0xe1),
  row('ftst', 0xd9, 0xe4),
  row('fxam', 0xd9, 0xe5),
  ...[0, 1, 2, 3, 4, 5, 6].map((which) => row(`constant ${which}`, 0xd9, 0xe8 | which)),
  row('fxtract', 0xd9, 0xf4),
  row('fprem1', 0xd9, 0xf5),
  row('fdecstp', 0xd9, 0xf6),
  row('fincstp', 0xd9, 0xf7),
  row('fprem', 0xd9, 0xf8),
  row('fsqrt', 0xd9, 0xfa),
  row('frndint', 0xd9, 0xfc),
  row('fscale', 0xd9, 0xfd),
  ...[0, 1, 2, 3].flatMap((cc) => [
    row(`fcmov ${cc}`, 0xda, 0xc1 | (cc << 3)),
    row(`fcmovn ${cc}`, 0xdb, 0xc1 | (cc << 3)),
  ]),
  row('fucompp', 0xda, 0xe9),
  withoutC1(row('fucomi', 0xdb, 0xe9)),
  withoutC1(row('fcomi', 0xdb, 0xf1)),
  row('fnclex', 0xdb, 0xe2),
  row('fninit', 0xdb, 0xe3),
  twinOf(row('fnsetpm', 0xdb, 0xe4), 0x90),
  row('ffree st1', 0xdd, 0xc1),
  twinOf(row('fxch4', 0xdd, 0xc9), 0xd9, 0xc9),
  row('fst st1', 0xdd, 0xd1),
  row('fstp st1', 0xdd, 0xd9),
  row('fucom', 0xdd, 0xe1),
  row('fucomp', 0xdd, 0xe9),
  twinOf(row('ffreep st1', 0xdf, 0xc1), 0xdd, 0xc1, 0xdd, 0xc0, 0xd9, 0xf7),
  twinOf(row('fxch7', 0xdf, 0xc9), 0xd9, 0xc9),
  twinOf(row('fstp8', 0xdf, 0xd1), 0xdd, 0xd9),
  twinOf(row('fstp9', 0xdf, 0xd9), 0xdd, 0xd9),
  row('fnstsw ax', 0xdf, 0xe0),
  withoutC1(row('fucomip', 0xdf, 0xe9)),
  withoutC1(row('fcomip', 0xdf, 0xf1)),
  reserved('d9 e2', 0xd9, 0xe2),
  reserved('d9 /1', 0xd9, memory(1)),
  reserved('da e8', 0xda, 0xe8),
  reserved('db f8', 0xdb, 0xf8),
  reserved('dd f1', 0xdd, 0xf1),
  reserved('de d8', 0xde, 0xd8),
  reserved('df e1', 0xdf, 0xe1),
  reserved('df f8', 0xdf, 0xf8),
  reserved('db /4', 0xdb, memory(4)),
  reserved('db e5', 0xdb, 0xe5),
  reserved('d9 d1', 0xd9, 0xd1),
];

describe('x87 instructions', without(oracle.missing), () => {
  const rows = ROWS.map((r) => [r.name, r] as const);
  it.each(rows)('%s leaves registers, flags and memory as the host does', (_name, r) => {
    const found = mismatches(oracle, r, CASES);
    expect(found.slice(0, 3).join('\n'), `${found.length} mismatches`).toEqual('');
  });
});
