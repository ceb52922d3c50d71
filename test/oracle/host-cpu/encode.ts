import { Decoder, DecoderOptions, type Instruction, OpCodeOperandKind as Kind } from 'iced-x86';
import type { Form } from './catalog.ts';
import { type Bitness, codeOffset, ENTRY } from './record.ts';

/** The only chance a case has: integers from a seeded stream. */
export interface Chance {
  /** 0 <= result < limit. */
  below(limit: number): number;
  bits64(): bigint;
}

const OPCODE_REGISTER = new Set<Kind>([
  Kind.r8_opcode,
  Kind.r16_opcode,
  Kind.r32_opcode,
  Kind.r64_opcode,
  Kind.sti_opcode,
]);
const MEMORY_ONLY = new Set<Kind>([Kind.mem, Kind.sibmem]);
const REGISTER_ONLY = new Set<Kind>([Kind.r16_rm, Kind.r32_rm, Kind.r64_rm, Kind.mm_rm, Kind.xmm_rm, Kind.ymm_rm]);
const EITHER = new Set<Kind>([
  Kind.r8_or_mem,
  Kind.r16_or_mem,
  Kind.r32_or_mem,
  Kind.r64_or_mem,
  Kind.mm_or_mem,
  Kind.xmm_or_mem,
  Kind.ymm_or_mem,
]);
const IN_REG = new Set<Kind>([
  Kind.r8_reg,
  Kind.r16_reg,
  Kind.r32_reg,
  Kind.r64_reg,
  Kind.mm_reg,
  Kind.xmm_reg,
  Kind.r32_reg_mem,
  Kind.r16_reg_mem,
  Kind.r64_reg_mem,
]);

const randomByte = (chance: Chance): number => {
  const pick = chance.below(8);
  return pick === 0 ? 0 : pick === 1 ? 1 : pick === 2 ? 0xff : pick === 3 ? 0x80 : chance.below(256);
};

function modRm(form: Form, chance: Chance): number[] {
  const has = (set: ReadonlySet<Kind>) => form.kinds.some((kind) => set.has(kind));
  if (!has(MEMORY_ONLY) && !has(REGISTER_ONLY) && !has(EITHER) && !has(IN_REG) && form.group < 0) return [];
  const toMemory = has(MEMORY_ONLY) || (has(EITHER) && chance.below(2) === 0);
  const mod = toMemory ? chance.below(3) : 3;
  const reg = form.group >= 0 ? form.group : chance.below(8);
  const rm = form.rmGroup >= 0 ? form.rmGroup : chance.below(8);
  return [(mod << 6) | (reg << 3) | rm];
}

/** Opcode and what precedes it; a guess that `encode` lets the decoder judge. */
function head(form: Form, bitness: Bitness, chance: Chance): number[] {
  const wide = form.operandSize === 64;
  const opcode = form.opCodeLength === 2 ? [form.opCode >> 8, form.opCode & 0xff] : [form.opCode & 0xff];
  if (form.kinds.some((kind) => OPCODE_REGISTER.has(kind))) opcode[opcode.length - 1]! += chance.below(8);
  if (form.vex) return [...vex(form, bitness, chance), ...opcode];
  const bytes: number[] = form.fwait ? [0x9b] : [];
  if (form.canLock && chance.below(10) === 0) bytes.push(0xf0);
  if (form.canRep && chance.below(2) === 0) bytes.push(chance.below(3) === 0 && form.canRepne ? 0xf2 : 0xf3);
  if (bitness !== 32 && chance.below(12) === 0) bytes.push(0x67);
  if (needsOperandPrefix(form, bitness) || chance.below(40) === 0) bytes.push(0x66);
  if (form.mandatoryPrefix !== 0) bytes.push(form.mandatoryPrefix);
  if (bitness === 64 && (wide || chance.below(2) === 0)) {
    bytes.push(0x40 | (wide || form.w === 1 || chance.below(20) === 0 ? 8 : 0) | chance.below(8));
  }
  return [...bytes, ...form.escape, ...opcode];
}

const needsOperandPrefix = ({ operandSize }: Form, bitness: Bitness): boolean =>
  operandSize === 16 ? bitness !== 16 : operandSize === 32 && bitness === 16;

function vex(form: Form, bitness: Bitness, chance: Chance): number[] {
  const pp = [0, 0x66, 0xf3, 0xf2].indexOf(form.mandatoryPrefix);
  const map = form.escape.length === 1 ? 1 : form.escape[1] === 0x38 ? 2 : 3;
  const inverted = bitness === 64 ? chance.below(8) << 5 : 0xe0;
  const vvvv = bitness === 64 ? chance.below(16) : 8 | chance.below(8);
  const w = form.w === 1 || form.operandSize === 64 ? 1 : 0;
  return [0xc4, inverted | map, (w << 7) | (vvvv << 3) | (form.l << 2) | pp];
}

/** Bytes of one instruction of `form`, or undefined when the guesses did not come out as one. */
export function encode(
  form: Form,
  bitness: Bitness,
  chance: Chance,
): { code: Uint8Array; instruction: Instruction } | undefined {
  for (let attempt = 0; attempt < 12; attempt++) {
    const bytes = [...head(form, bitness, chance), ...modRm(form, chance)];
    for (let i = 0; i < 13; i++) bytes.push(randomByte(chance));
    const code = Uint8Array.from(bytes.slice(0, 15));
    const decoded = decode(code, bitness);
    if (decoded.code === form.code && decoded.length <= 15) {
      return { code: code.slice(0, decoded.length), instruction: decoded };
    }
    decoded.free();
  }
  return undefined;
}

/** The instruction at the case's entry point. */
export function decode(code: Uint8Array, bitness: Bitness): Instruction {
  const decoder = new Decoder(bitness, code, DecoderOptions.None);
  decoder.ip = BigInt(codeOffset(ENTRY, bitness));
  const instruction = decoder.decode();
  decoder.free();
  return instruction;
}
