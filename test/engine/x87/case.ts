import { FCW, FSW, FTW, X87_REGISTERS } from '../../../src/engine/state/layout.ts';
import { blockUnit } from '../../../src/engine/x87/block.ts';
import { executeX87 } from '../../../src/engine/x87/execute.ts';
import { fullTags, takeEnvironment, takeStack } from '../../../src/engine/x87/image.ts';
import type { X87Unit } from '../../../src/engine/x87/unit.ts';
import {
  CAUGHT,
  CODE,
  type Draw,
  IMAGE,
  MEMORY,
  type Oracle,
  RAISED,
  RAX,
  RECORD,
  RFLAGS,
  draw32,
  drawBelow,
  drawOf,
} from '../native/oracle.ts';
import { stepAside } from '../../stepping-aside.ts';
import { drawDouble, drawExtended, drawSingle } from '../float/operands.ts';

const SIGILL = 4;

/** One x87 instruction under test: its two bytes, and what its memory operand is. */
export interface X87Row {
  name: string;
  opcode: number;
  modrm: number;
  /** With an operand-size prefix. */
  operand16?: boolean;
  operand: 'none' | 'm32' | 'm64' | 'm80' | 'int' | 'bcd' | 'm16' | 'env' | 'image';
  /** Bits of FSW that the manual leaves undefined. */
  undefinedFsw?: number;
  /** Code of documented instructions that do the same, for one that no manual has: not every processor agrees. */
  twin?: readonly number[];
  /** The same where ST(0) is empty. */
  twinOfEmpty?: readonly number[];
  /** Reserved by the manual, which is #UD. */
  isReserved?: boolean;
}

/** Everything around the unit: the state lies at the layout's addresses of a small memory. */
export function createUnit(
  operand16 = false,
  realFormat = false,
): { unit: X87Unit; operand: Uint8Array; out: { flags: number; ax: number } } {
  const memory = new DataView(new ArrayBuffer(0x2000));
  const buffer = new DataView(new ArrayBuffer(512));
  const bytes = new Uint8Array(buffer.buffer);
  const operand = new Uint8Array(256);
  const out = { flags: 0, ax: 0 };
  const unit = blockUnit(memory, {
    buffer,
    load: (size) => bytes.set(operand.subarray(0, size)),
    store: (size) => operand.set(bytes.subarray(0, size)),
    flags: () => out.flags,
    setFlags: (zpc) => {
      out.flags = (out.flags & ~0x8d5) | zpc;
    },
    setAx: (value) => {
      out.ax = value;
    },
    operand16,
    realFormat,
    instructionPointer: 0x1_2345n,
    codeSelector: 0x1000,
    dataPointer: 0x6789n,
    dataSelector: 0x2000,
  });
  memory.setUint16(FCW, 0x37f, true);
  memory.setUint16(FSW, 0, true);
  memory.setUint16(FTW, 0xffff, true);
  memory.setUint8(X87_REGISTERS, 0);
  return { unit, operand, out };
}

function drawControl(draw: Draw): number {
  const masks = drawBelow(draw, 3) === 0 ? draw32(draw) & 0x3f : 0x3f;
  return masks | 0x40 | (drawOf(draw, [0, 2, 3, 3, 3]) << 8) | (drawOf(draw, [0, 0, 0, 1, 2, 3]) << 10);
}

function fillOperand(view: DataView, at: number, row: X87Row, draw: Draw): void {
  for (let index = 0; index < 128; index += 4) view.setUint32(at + index, draw32(draw), true);
  if (row.operand === 'm32') view.setUint32(at, drawSingle(draw), true);
  if (row.operand === 'm64') view.setBigUint64(at, drawDouble(draw), true);
  if (row.operand === 'm16') view.setUint16(at, drawControl(draw), true);
  if (row.operand === 'm80') {
    const [signExponent, significand] = drawExtended(draw);
    view.setBigUint64(at, significand, true);
    view.setUint16(at + 8, signExponent, true);
  }
  if (row.operand === 'bcd') {
    for (let index = 0; index < 9; index++) view.setUint8(at + index, drawBelow(draw, 10) * 16 + drawBelow(draw, 10));
    view.setUint8(at + 9, drawOf(draw, [0, 0x80]));
  }
  if (row.operand !== 'env' && row.operand !== 'image') return;
  fillImage(view, at, draw);
  if (row.operand16 !== true) return;
  view.setUint16(at + 2, view.getUint16(at + 4, true), true);
  view.setUint16(at + 4, view.getUint16(at + 8, true), true);
}

function fillImage(view: DataView, at: number, draw: Draw): void {
  const fcw = drawControl(draw);
  const pending = drawBelow(draw, 12) === 0;
  const flags = drawBelow(draw, 2) === 0 ? draw32(draw) & (pending ? 0x3f : fcw & 0x3f) : 0;
  const mixed = drawBelow(draw, 4) === 0;
  view.setUint32(at, fcw | 0xffff_0000, true);
  view.setUint32(at + 4, flags | (draw32(draw) & 0x7f40), true);
  view.setUint32(at + 8, mixed ? draw32(draw) & 0xffff : drawOf(draw, [0, 0, 0, 0xffff]), true);
  for (let index = 12; index < 28; index += 4) view.setUint32(at + index, 0, true);
  for (let i = 0; i < 8; i++) {
    const [signExponent, significand] = drawExtended(draw);
    view.setBigUint64(at + 28 + i * 10, significand, true);
    view.setUint16(at + 36 + i * 10, signExponent, true);
  }
  if (drawBelow(draw, 4) === 0) nearOperands(view, at, draw);
}

/** Makes ST(1) close to ST(0), for cancellation and remainders; or a small integer, for FSCALE. */
function nearOperands(view: DataView, at: number, draw: Draw): void {
  const small = drawBelow(draw, 2) === 0;
  const significand = small
    ? BigInt(draw32(draw) | 0x8000_0000) << 32n
    : BigInt.asUintN(64, view.getBigUint64(at + 28, true) + BigInt(drawBelow(draw, 5)) - 2n);
  const signExponent = small ? 0x3fff + drawBelow(draw, 18) : view.getUint16(at + 36, true);
  view.setBigUint64(at + 38, significand, true);
  view.setUint16(at + 46, (signExponent & 0x7fff) | (draw32(draw) & 0x8000), true);
}

const codeOf = ({ operand16, opcode, modrm }: X87Row): number[] => [
  ...(operand16 === true ? [0x66] : []),
  opcode,
  modrm,
];

function setCode(view: DataView, base: number, code: readonly number[]): void {
  view.setUint8(base, code.length);
  for (const [at, byte] of code.entries()) view.setUint8(base + CODE + at, byte);
}

/** Random records for one row. */
export function drawRecords(
  row: X87Row,
  cases: number,
  adjust?: (view: DataView, base: number, draw: Draw) => void,
): Uint8Array {
  const draw: Draw = { state: (row.opcode << 8) | row.modrm | 0x1234_0000 };
  const records = new Uint8Array(cases * RECORD);
  const view = new DataView(records.buffer);
  for (let index = 0; index < cases; index++) {
    const base = index * RECORD;
    setCode(view, base, codeOf(row));
    fillImage(view, base + IMAGE, draw);
    fillOperand(view, base + MEMORY, row, draw);
    view.setUint32(base + RAX, 0x1234_5678, true);
    view.setUint32(base + RFLAGS, 0x202 | (draw32(draw) & 0x8d5), true);
    view.setUint32(base + 40, 0x1f80, true);
    adjust?.(view, base, draw);
  }
  return records;
}

/** The text of everything a case left behind, to be compared as a whole. */
export function describe(view: DataView, base: number, fswMask: number): string {
  const hex = (value: number | bigint): string => value.toString(16);
  const at = base + IMAGE;
  const parts = [
    `fcw ${hex(view.getUint16(at, true))}`,
    `fsw ${hex(view.getUint16(at + 4, true) & fswMask)}`,
    `ftw ${hex(view.getUint16(at + 8, true))}`,
  ];
  for (let i = 0; i < 8; i++) {
    const significand = hex(view.getBigUint64(at + 28 + i * 10, true));
    parts.push(`st${i} ${hex(view.getUint16(at + 36 + i * 10, true))}:${significand}`);
  }
  let memory = '';
  const wide = view.getUint8(base + CODE) !== 0x66;
  const stores = view.getUint8(base + view.getUint8(base)) >> 3 === 6;
  const pointers = !stores ? [0, 0] : wide ? [12, 28] : [6, 14];
  for (let index = 0; index < 112; index++) {
    const pointer = index >= pointers[0]! && index < pointers[1]!;
    memory += pointer
      ? '..'
      : view
          .getUint8(base + MEMORY + index)
          .toString(16)
          .padStart(2, '0');
  }
  parts.push(`flags ${hex(view.getUint32(base + RFLAGS, true) & 0x8d5)}`);
  parts.push(`ax ${hex(view.getUint16(base + RAX, true))}`);
  parts.push(`caught ${view.getUint32(base + CAUGHT, true)}`, `memory ${memory}`);
  return parts.join(' ');
}

/** Runs one record through our unit, writing the outcome back as the oracle does. */
export function runOurs(view: DataView, base: number, row: X87Row): void {
  const { unit, operand, out } = createUnit(row.operand16);
  const image = new Uint8Array(view.buffer, view.byteOffset + base + IMAGE, 108);
  new Uint8Array(unit.buffer.buffer).set(image);
  for (let word = 0; word < 3 && row.operand16 === true; word++) {
    unit.buffer.setUint16(word * 2, unit.buffer.getUint16(word * 4, true), true);
  }
  takeEnvironment(unit);
  takeStack(unit, 28);
  operand.set(new Uint8Array(view.buffer, view.byteOffset + base + MEMORY, 256));
  out.flags = view.getUint32(base + RFLAGS, true);
  out.ax = view.getUint16(base + RAX, true);
  const outcome = executeX87(unit, row.opcode, row.modrm);
  view.setUint32(base + CAUGHT, outcome === 1 ? 4 : outcome === 2 ? 8 : 0, true);
  view.setUint32(base + RFLAGS, out.flags, true);
  view.setUint16(base + RAX, out.ax, true);
  new Uint8Array(view.buffer, view.byteOffset + base + MEMORY, 256).set(operand);
  const at = base + IMAGE;
  view.setUint16(at, unit.fcw, true);
  view.setUint16(at + 4, unit.fsw, true);
  view.setUint16(at + 8, fullTags(unit), true);
  for (let i = 0; i < 8; i++) {
    const physical = ((unit.fsw >> 11) + i) & 7;
    view.setBigUint64(at + 28 + i * 10, unit.significand(physical), true);
    view.setUint16(at + 36 + i * 10, unit.signExponent(physical), true);
  }
}

/** Differences between the host and us over so many random cases of one instruction. */
export function mismatches(oracle: Oracle, row: X87Row, cases: number): string[] {
  oracle.relyOn(codeOf(row), row.isReserved === true ? RAISED.UD : RAISED.MF);
  const ours = drawRecords(row, cases);
  const input = new DataView(ours.slice().buffer);
  const answers = oracle.run(ours);
  const host = new DataView(answers.buffer, answers.byteOffset);
  const mine = new DataView(ours.buffer);
  const mask = 0xffff & ~(row.undefinedFsw ?? 0);
  expectUndocumented(oracle, row, input, host, mask);
  const found: string[] = [];
  for (let index = 0; index < cases; index++) {
    const base = index * RECORD;
    runOurs(mine, base, row);
    const want = describe(host, base, mask);
    const have = describe(mine, base, mask);
    if (want === have) continue;
    found.push(`${row.name}\n  in   ${describe(input, base, 0xffff)}\n  host ${want}\n  ours ${have}`);
  }
  return found;
}

/** Whether ST(0) of an FSAVE image is tagged empty. */
const isEmpty = (view: DataView, at: number): boolean =>
  ((view.getUint16(at + 8, true) >> (2 * ((view.getUint16(at + 4, true) >> 11) & 7))) & 3) === 3;

/** The running test steps aside where no manual says what the instruction does, and this host has its own mind. */
function expectUndocumented(oracle: Oracle, row: X87Row, input: DataView, host: DataView, mask: number): void {
  const { name, twin, twinOfEmpty = twin } = row;
  const bases = Array.from({ length: input.byteLength / RECORD }, (_, at) => at * RECORD);
  if (row.isReserved === true && bases.some((base) => host.getUint32(base + CAUGHT, true) !== SIGILL)) {
    stepAside({ what: name, why: 'It is reserved, and this host does not raise #UD for it.', kind: 'host' });
  }
  if (twin === undefined || twinOfEmpty === undefined) return;
  const records = new Uint8Array(input.buffer.slice(0));
  const changed = new DataView(records.buffer);
  for (const base of bases) setCode(changed, base, isEmpty(input, base + IMAGE) ? twinOfEmpty : twin);
  const answers = oracle.run(records);
  const documented = new DataView(answers.buffer, answers.byteOffset);
  if (bases.every((base) => describe(host, base, mask) === describe(documented, base, mask))) return;
  const why = 'No manual has it, and this host does not take it for the documented instruction.';
  stepAside({ what: name, why, kind: 'host' });
}
