import { afterAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { sseEnvironment } from '../../../src/engine/float/environment.ts';
import { SSE_OPERATIONS, executeSse } from '../../../src/engine/float/sse.ts';
import { MXCSR as MXCSR_SLOT, XMM, XMM_SCRATCH } from '../../../src/engine/state/layout.ts';
import {
  CAUGHT,
  CODE,
  type Draw,
  MXCSR,
  RECORD,
  RFLAGS,
  XMM0,
  XMM1,
  RAISED,
  buildOracle,
  draw32,
  drawBelow,
} from '../native/oracle.ts';
import { drawDouble, drawSingle } from './operands.ts';

const oracle = buildOracle();
const CASES = casesOf('FLOAT_CASES', { whole: 1000, quick: 300 });
afterAll(() => oracle.remove());

/** Name, code for xmm0, xmm1, whether operands are doubles; code without prefix means ps. */
type Row = readonly [string, readonly number[], boolean, number?];

const PREFIX = { ps: [], pd: [0x66], ss: [0xf3], sd: [0xf2] } as const;
const SUFFIXES = ['ps', 'pd', 'ss', 'sd'] as const;
const four = (name: string, opcode: number): Row[] =>
  SUFFIXES.map((suffix): Row => [name + suffix, [...PREFIX[suffix], 0x0f, opcode, 0xc1], suffix.endsWith('d')]);

const ROWS: Row[] = [
  ...four('add', 0x58),
  ...four('mul', 0x59),
  ...four('sub', 0x5c),
  ...four('min', 0x5d),
  ...four('div', 0x5e),
  ...four('max', 0x5f),
  ...four('sqrt', 0x51),
  ...SUFFIXES.flatMap((suffix) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map(
      (predicate): Row => [
        `cmp${suffix}`,
        [...PREFIX[suffix], 0x0f, 0xc2, 0xc1, predicate],
        suffix.endsWith('d'),
        predicate,
      ],
    ),
  ),
  ['comiss', [0x0f, 0x2f, 0xc1], false],
  ['comisd', [0x66, 0x0f, 0x2f, 0xc1], true],
  ['ucomiss', [0x0f, 0x2e, 0xc1], false],
  ['ucomisd', [0x66, 0x0f, 0x2e, 0xc1], true],
  ['addsubps', [0xf2, 0x0f, 0xd0, 0xc1], false],
  ['addsubpd', [0x66, 0x0f, 0xd0, 0xc1], true],
  ['haddps', [0xf2, 0x0f, 0x7c, 0xc1], false],
  ['haddpd', [0x66, 0x0f, 0x7c, 0xc1], true],
  ['hsubps', [0xf2, 0x0f, 0x7d, 0xc1], false],
  ['hsubpd', [0x66, 0x0f, 0x7d, 0xc1], true],
  ...[0x31, 0xff, 0x71, 0xa5].flatMap((immediate): Row[] => [
    ['dpps', [0x66, 0x0f, 0x3a, 0x40, 0xc1, immediate], false, immediate],
    ['dppd', [0x66, 0x0f, 0x3a, 0x41, 0xc1, immediate], true, immediate],
  ]),
  ['cvtps2pd', [0x0f, 0x5a, 0xc1], false],
  ['cvtpd2ps', [0x66, 0x0f, 0x5a, 0xc1], true],
  ['cvtss2sd', [0xf3, 0x0f, 0x5a, 0xc1], false],
  ['cvtsd2ss', [0xf2, 0x0f, 0x5a, 0xc1], true],
  ['cvtdq2ps', [0x0f, 0x5b, 0xc1], false],
  ['cvtdq2pd', [0xf3, 0x0f, 0xe6, 0xc1], false],
  ['cvtps2dq', [0x66, 0x0f, 0x5b, 0xc1], false],
  ['cvttps2dq', [0xf3, 0x0f, 0x5b, 0xc1], false],
  ['cvtpd2dq', [0xf2, 0x0f, 0xe6, 0xc1], true],
  ['cvttpd2dq', [0x66, 0x0f, 0xe6, 0xc1], true],
  ...[0, 3, 4, 9].flatMap((immediate): Row[] => [
    ['roundps', [0x66, 0x0f, 0x3a, 0x08, 0xc1, immediate], false, immediate],
    ['roundpd', [0x66, 0x0f, 0x3a, 0x09, 0xc1, immediate], true, immediate],
    ['roundss', [0x66, 0x0f, 0x3a, 0x0a, 0xc1, immediate], false, immediate],
    ['roundsd', [0x66, 0x0f, 0x3a, 0x0b, 0xc1, immediate], true, immediate],
  ]),
];

function fill(view: DataView, base: number, row: Row, draw: Draw): void {
  const [, code, isDouble] = row;
  view.setUint8(base, code.length);
  code.forEach((byte, at) => view.setUint8(base + CODE + at, byte));
  for (const register of [XMM0, XMM1]) {
    for (let at = 0; at < 16; at += isDouble ? 8 : 4) {
      if (isDouble) view.setBigUint64(base + register + at, drawDouble(draw), true);
      else view.setUint32(base + register + at, drawSingle(draw), true);
    }
  }
  const masks = drawBelow(draw, 4) === 0 ? draw32(draw) & 0x3f : 0x3f;
  const modes = drawBelow(draw, 4) === 0 ? draw32(draw) & 0xe040 : 0;
  view.setUint32(base + RFLAGS, 0x202, true);
  view.setUint32(base + MXCSR, (masks << 7) | modes | (draw32(draw) & masks & 0x3f & draw32(draw)), true);
}

const hex = (value: bigint | number): string => value.toString(16);
const pair = (view: DataView, at: number): string =>
  `${hex(view.getBigUint64(at + 8, true))}:${hex(view.getBigUint64(at, true))}`;

const env = sseEnvironment(0x1f80);
const out = new DataView(new ArrayBuffer(16));

function ours(view: DataView, base: number, row: Row): string {
  const memory = new DataView(new ArrayBuffer(0x2000));
  for (let at = 0; at < 16; at += 8) {
    memory.setBigUint64(XMM + at, view.getBigUint64(base + XMM0 + at, true), true);
    memory.setBigUint64(XMM_SCRATCH + at, view.getBigUint64(base + XMM1 + at, true), true);
  }
  memory.setUint32(MXCSR_SLOT, view.getUint32(base + MXCSR, true), true);
  const operation = SSE_OPERATIONS.get(row[0]);
  if (operation === undefined) throw new Error(`no operation ${row[0]}`);
  const operands = { env, memory, destination: XMM, source: XMM_SCRATCH, immediate: row[3] ?? 0, width: 8, out };
  const answer = executeSse(operation, operands);
  const flags = operation.bytes > 0 || answer < 0 ? 0 : answer;
  const mxcsr = hex(memory.getUint32(MXCSR_SLOT, true));
  return `${pair(memory, XMM)} mxcsr ${mxcsr} flags ${hex(flags)} fault ${answer < 0}`;
}

function mismatches(row: Row, cases: number): string[] {
  oracle.relyOn(row[1], RAISED.XM);
  const draw: Draw = { state: row[1].reduce((sum, byte) => sum * 31 + byte, 0x77) };
  const records = new Uint8Array(cases * RECORD);
  const view = new DataView(records.buffer);
  for (let index = 0; index < cases; index++) fill(view, index * RECORD, row, draw);
  const answers = oracle.run(records);
  const host = new DataView(answers.buffer, answers.byteOffset);
  const found: string[] = [];
  for (let index = 0; index < cases; index++) {
    const base = index * RECORD;
    const faulted = host.getUint32(base + CAUGHT, true) !== 0;
    const want = `${pair(host, base + XMM0)} mxcsr ${hex(host.getUint32(base + MXCSR, true))} flags ${hex(
      faulted ? 0 : host.getUint32(base + RFLAGS, true) & 0x8d5,
    )} fault ${faulted}`;
    const have = ours(view, base, row);
    if (want === have) continue;
    found.push(
      `${row[0]} ${pair(view, base + XMM0)}, ${pair(view, base + XMM1)} mxcsr ${hex(
        view.getUint32(base + MXCSR, true),
      )}\n  host ${want}\n  ours ${have}`,
    );
  }
  return found;
}

describe('SSE packed arithmetic', without(oracle.missing), () => {
  it.each(ROWS.map((row) => [`${row[0]} ${row[3] ?? ''}`, row] as const))(
    '%s agrees with the host processor',
    (_name, row) => {
      const found = mismatches(row, CASES);
      expect(found.slice(0, 3).join('\n'), `${found.length} mismatches`).toBe('');
    },
  );
});
