import {
  Formatter,
  FormatterSyntax,
  type Instruction,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  type Register,
  RegisterExt,
  RflagsBits,
} from 'iced-x86';
import { GPR_NAMES } from '../../../src/x86/guest.ts';
import { decode } from './encode.ts';
import { type CaseRecord, FXSAVE, INT3, WINDOW_BASE } from './record.ts';

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const DF = 0x400;
const OF = 0x800;
const COMPARED = CF | PF | AF | ZF | SF | DF | OF;
const PAGE_FAULT = 14;
const KERNEL_SPACE = 1n << 47n;
const C1 = 0x200;
/** SDM: C1 is cleared. AMD's processors leave it. */
const TO_MMX = new Set<Mnemonic>([
  Mnemonic.Cvtpd2pi,
  Mnemonic.Cvttpd2pi,
  Mnemonic.Cvtps2pi,
  Mnemonic.Cvttps2pi,
  Mnemonic.Cvtpi2ps,
]);
const KEEPS_C1 = new Set<Mnemonic>([Mnemonic.Fcomi, Mnemonic.Fcomip, Mnemonic.Fucomi, Mnemonic.Fucomip]);

const FROM_ICED: readonly (readonly [number, number])[] = [
  [RflagsBits.OF, OF],
  [RflagsBits.SF, SF],
  [RflagsBits.ZF, ZF],
  [RflagsBits.AF, AF],
  [RflagsBits.CF, CF],
  [RflagsBits.PF, PF],
];

const SHIFTS = new Set<Mnemonic>([Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr, Mnemonic.Sar]);
const ROTATES = new Set<Mnemonic>([Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Rcl, Mnemonic.Rcr]);
const DOUBLE_SHIFTS = new Set<Mnemonic>([Mnemonic.Shld, Mnemonic.Shrd]);

/** EFLAGS bits the SDM leaves undefined after this instruction with these operands. */
export function undefinedFlags(instruction: Instruction, before: CaseRecord): number {
  const { mnemonic } = instruction;
  const isShift = SHIFTS.has(mnemonic);
  if (isShift || ROTATES.has(mnemonic) || DOUBLE_SHIFTS.has(mnemonic)) return undefinedOfShift(instruction, before);
  const bits = instruction.rflagsUndefined;
  let mask = 0;
  for (const [iced, eflags] of FROM_ICED) if (bits & iced) mask |= eflags;
  return mask;
}

/** SDM Vol. 2, SHL/SHR/SAR, ROL/ROR/RCL/RCR, SHLD/SHRD: what is undefined depends on the count. */
function undefinedOfShift(instruction: Instruction, before: CaseRecord): number {
  const size = operandSize(instruction);
  const last = instruction.opCount - 1;
  const raw = instruction.opKind(last) === OpKind.Register ? Number(before.gpr(1) & 0xffn) : instruction.immediate8;
  const count = raw & (size === 64 ? 63 : 31);
  if (count === 0) return 0;
  const overflow = count === 1 ? 0 : OF;
  if (ROTATES.has(instruction.mnemonic)) return overflow;
  const carry = instruction.mnemonic !== Mnemonic.Sar && count >= size ? CF : 0;
  return AF | overflow | carry;
}

function operandSize(instruction: Instruction): number {
  const isRegister = instruction.op0Kind === OpKind.Register;
  return 8 * (isRegister ? RegisterExt.size(instruction.op0Register) : MemorySizeExt.size(instruction.memorySize));
}

export function format(instruction: Instruction): string {
  const formatter = new Formatter(FormatterSyntax.Intel);
  const text = formatter.format(instruction);
  formatter.free();
  return text;
}

const hex = (value: number | bigint): string => '0x' + value.toString(16);
const bytesHex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** Lines `field: before -> ours, host says ...` for everything that differs; empty when equal. */
export function differences(before: CaseRecord, ours: CaseRecord, host: CaseRecord): string[] {
  const lines: string[] = [];
  const differ = (name: string, was: string, got: string, want: string) =>
    lines.push(`${name}: ${was} -> ${got}, host ${want}`);
  const instruction = decode(before.code, before.bitness);
  const narrow = (value: bigint) => (before.bitness === 64 ? value : BigInt.asUintN(32, value));
  if (ours.vector !== host.vector) differ('exception', '-', String(ours.vector), String(host.vector));
  else if (host.vector !== INT3) compareException(ours, host, differ);
  if (narrow(ours.rip) !== narrow(host.rip)) differ('rip', '-', hex(ours.rip), hex(host.rip));
  for (let i = 0; i < (before.bitness === 64 ? 16 : 8); i++) {
    const [was, got, want] = [narrow(before.gpr(i)), narrow(ours.gpr(i)), narrow(host.gpr(i))];
    if (got !== want) differ(GPR_NAMES[i]!, hex(was), hex(got), hex(want));
  }
  const flags = COMPARED & ~undefinedFlags(instruction, before);
  if ((ours.rflags ^ host.rflags) & flags) {
    differ('flags', flagNames(before.rflags), flagNames(ours.rflags & flags), flagNames(host.rflags & flags));
  }
  // A conversion to MMX that faults may have entered MMX state already: the SDM does not say.
  const isHalfway = host.vector !== INT3 && TO_MMX.has(instruction.mnemonic);
  if (!isHalfway) compareFx(before, ours, KEEPS_C1.has(instruction.mnemonic) ? withC1Of(ours, host) : host, differ);
  compareWindow(before, ours, host, differ);
  instruction.free();
  return lines;
}

type Differ = (name: string, was: string, got: string, want: string) => void;

function compareException(ours: CaseRecord, host: CaseRecord, differ: Differ): void {
  const hasCode = host.vector === PAGE_FAULT || host.vector === 13 || host.vector === 12;
  // Linux calls every fault on a kernel address a protection fault, so as not to tell what is mapped there.
  const compared = host.vector === PAGE_FAULT && host.cr2 >= KERNEL_SPACE ? ~1 : ~0;
  if (hasCode && (ours.errorCode ^ host.errorCode) & compared)
    differ('error code', '-', hex(ours.errorCode), hex(host.errorCode));
  if (host.vector === PAGE_FAULT && ours.cr2 !== host.cr2) differ('cr2', '-', hex(ours.cr2), hex(host.cr2));
}

const flagNames = (flags: number): string =>
  (
    [
      ['o', OF],
      ['d', DF],
      ['s', SF],
      ['z', ZF],
      ['a', AF],
      ['p', PF],
      ['c', CF],
    ] as const
  )
    .map(([name, bit]) => (flags & bit ? name : '-'))
    .join('');

function withC1Of(ours: CaseRecord, host: CaseRecord): CaseRecord {
  const same = host.copy();
  const high = FXSAVE.fsw + 1;
  same.fx[high] = (host.fx[high]! & ~(C1 >> 8)) | (ours.fx[high]! & (C1 >> 8));
  return same;
}

function compareFx(before: CaseRecord, ours: CaseRecord, host: CaseRecord, differ: Differ): void {
  const field = (name: string, offset: number, size: number) => {
    const shown = (r: CaseRecord) => bytesHex(r.fx.slice(offset, offset + size).reverse());
    const [was, got, want] = [shown(before), shown(ours), shown(host)];
    if (got !== want) differ(name, was, got, want);
  };
  field('fcw', FXSAVE.fcw, 2);
  field('fsw', FXSAVE.fsw, 2);
  field('ftw', FXSAVE.ftw, 1);
  field('mxcsr', FXSAVE.mxcsr, 4);
  for (let i = 0; i < 8; i++) field(`st${i}`, FXSAVE.st + 16 * i, 10);
  for (let i = 0; i < (before.bitness === 64 ? 16 : 8); i++) field(`xmm${i}`, FXSAVE.xmm + 16 * i, 16);
}

function compareWindow(before: CaseRecord, ours: CaseRecord, host: CaseRecord, differ: Differ): void {
  const [was, got, want] = [before.window, ours.window, host.window];
  const first = got.findIndex((byte, i) => byte !== want[i]);
  if (first < 0) return;
  const at = first & ~7;
  const quad = (bytes: Uint8Array) => bytesHex(bytes.slice(at, at + 16).reverse());
  differ(`memory ${hex(WINDOW_BASE + at)}`, quad(was), quad(got), quad(want));
}

/** A mismatch on a few lines: bytes, disassembly, then each field. */
export function report(before: CaseRecord, lines: readonly string[]): string {
  const instruction = decode(before.code, before.bitness);
  const title = `${bytesHex(before.code)}  ${format(instruction)}  (${before.bitness}-bit)`;
  const operands = usedRegisters(instruction, before);
  instruction.free();
  return [title, `  with ${operands}`, ...lines.map((line) => '  ' + line)].join('\n');
}

function usedRegisters(instruction: Instruction, before: CaseRecord): string {
  const seen = new Set<number>();
  const parts = [`flags=${flagNames(before.rflags)}`];
  for (let i = 0; i < instruction.opCount; i++) {
    if (instruction.opKind(i) !== OpKind.Register) continue;
    const register: Register = instruction.opRegister(i);
    const number = RegisterExt.number(register);
    if (RegisterExt.isGPR(register) && !seen.has(number)) {
      const index = RegisterExt.number(RegisterExt.fullRegister(register));
      parts.push(`${GPR_NAMES[index]}=${hex(before.gpr(index))}`);
      seen.add(number);
    } else if (RegisterExt.isXMM(register)) {
      parts.push(
        `xmm${number}=${bytesHex(before.fx.slice(FXSAVE.xmm + 16 * number, FXSAVE.xmm + 16 * number + 16).reverse())}`,
      );
    }
  }
  if (/\bf[a-z]/.test(format(instruction))) {
    parts.push(`fcw=${bytesHex(before.fx.slice(0, 2).reverse())} fsw=${bytesHex(before.fx.slice(2, 4).reverse())}`);
    for (let i = 0; i < 2; i++) parts.push(`st${i}=${bytesHex(before.fx.slice(32 + 16 * i, 42 + 16 * i).reverse())}`);
  }
  return parts.join(' ');
}
