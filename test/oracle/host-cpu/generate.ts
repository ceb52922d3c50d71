import {
  Decoder,
  DecoderOptions,
  type Instruction,
  InstructionInfoFactory,
  MemorySizeExt,
  Mnemonic,
  OpKind,
  Register,
  RegisterExt,
  type UsedMemory,
} from 'iced-x86';
import type { Form } from './catalog.ts';
import { isShared } from './catalog.ts';
import { type Chance, decode, encode } from './encode.ts';
import { randomFxImage, randomGpr } from './values.ts';
import {
  type Bitness,
  CaseRecord,
  CODE_BASE,
  codeOffset,
  dataOffset,
  ENTRY,
  WINDOW_BASE,
  WINDOW_SIZE,
} from './record.ts';

/** Branches land here: INT3 as far as the eye reaches. */
const LANDING = CODE_BASE + 0x900;
const MIDDLE = WINDOW_BASE + WINDOW_SIZE / 2;
const STATUS_FLAGS = 0x8d5;
const DIRECTION = 0x400;
const BIT_OPERATIONS = new Set<Mnemonic>([Mnemonic.Bt, Mnemonic.Bts, Mnemonic.Btr, Mnemonic.Btc]);
const infoFactory = new InstructionInfoFactory();

const number = (register: Register): number => RegisterExt.number(RegisterExt.fullRegister(register));

/** A random case of `form`; undefined when this attempt came to nothing. */
export function generate(form: Form, bitness: Bitness, chance: Chance): CaseRecord | undefined {
  const encoded = encode(form, bitness, chance);
  if (encoded === undefined) return undefined;
  const { code, instruction } = encoded;
  if (!isShared(code, bitness) || isUncommon(instruction, code, bitness)) {
    instruction.free();
    return undefined;
  }
  const record = new CaseRecord();
  randomState(record, chance, bitness);
  const aimed = aim(record, code, instruction, bitness, chance);
  instruction.free();
  if (!aimed) return undefined;
  record.setCode(code, bitness);
  const patched = decode(code, bitness);
  tame(record, patched, chance);
  patched.free();
  return record;
}

function randomState(record: CaseRecord, chance: Chance, bitness: Bitness): void {
  for (let i = 0; i < (bitness === 64 ? 16 : 8); i++) {
    const value = randomGpr(chance);
    record.setGpr(i, bitness === 64 ? value : BigInt.asUintN(32, value));
  }
  record.setGpr(4, BigInt(dataOffset(MIDDLE, bitness) + 8 * (chance.below(9) - 4)));
  record.rflags =
    0x202 | (Number(chance.bits64() & 0xffffn) & (STATUS_FLAGS | (chance.below(4) === 0 ? DIRECTION : 0)));
  const fill = chance.below(3);
  const byte = chance.below(256);
  const window = record.window;
  for (let i = 0; i < WINDOW_SIZE; i++)
    window[i] = fill === 0 ? byte : fill === 1 ? chance.below(256) : i & 7 ? byte : 0x3f;
  record.fx.set(randomFxImage(chance, window));
}

const PREFIXES: ReadonlySet<number> = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** Forms that two makers of processors read differently, or that would not end. */
function isUncommon(instruction: Instruction, code: Uint8Array, bitness: Bitness): boolean {
  const opcode = code.findIndex((byte) => !PREFIXES.has(byte));
  const prefixed = code.subarray(0, opcode).includes(0x66);
  const is16 = prefixed !== (bitness === 16);
  if (isBranch(instruction) && prefixed) return true;
  const segment = instruction.segmentPrefix;
  if (segment === Register.FS || segment === Register.GS || segment === Register.CS) return true;
  const mnemonic = instruction.mnemonic;
  // With 16-bit operands a count above 16 has no defined result.
  if ((mnemonic === Mnemonic.Shld || mnemonic === Mnemonic.Shrd) && is16) return true;
  if (mnemonic === Mnemonic.Enter && code[code.length - 2]! > 0x40) return true;
  if (mnemonic === Mnemonic.Movsxd && prefixed) return true;
  // Undefined result, and an alias of XCHG on some processors.
  if ((mnemonic === Mnemonic.Bswap && is16) || (mnemonic === Mnemonic.Pause && code.length > 2)) return true;
  return bitness === 32 && instruction.hasLockPrefix && mnemonic === Mnemonic.Mov;
}

const isBranch = (i: Instruction): boolean => {
  const m = i.mnemonic;
  return (
    i.isJccShortOrNear ||
    i.isJmpShortOrNear ||
    i.isJmpNearIndirect ||
    i.isCallNear ||
    i.isCallNearIndirect ||
    m === Mnemonic.Ret ||
    m === Mnemonic.Loop ||
    m === Mnemonic.Loope ||
    m === Mnemonic.Loopne ||
    m === Mnemonic.Jrcxz ||
    m === Mnemonic.Jecxz
  );
};

/** Point every memory operand into the window: by a register, or by the displacement. */
function aim(
  record: CaseRecord,
  code: Uint8Array,
  instruction: Instruction,
  bitness: Bitness,
  chance: Chance,
): boolean {
  const info = infoFactory.info(instruction);
  const operands = info.usedMemory() as UsedMemory[];
  let good = true;
  for (const operand of operands) good = good && aimOne(record, code, instruction, operand, bitness, chance);
  for (const operand of operands) operand.free();
  info.free();
  return good;
}

function aimOne(
  record: CaseRecord,
  code: Uint8Array,
  instruction: Instruction,
  memory: UsedMemory,
  bitness: Bitness,
  chance: Chance,
): boolean {
  const size = Math.max(1, MemorySizeExt.size(memory.memorySize));
  let target = WINDOW_BASE + 128 + chance.below(WINDOW_SIZE - 256 - Math.min(size, 128));
  if (size >= 16 ? chance.below(8) !== 0 : chance.below(3) === 0) target -= target % Math.min(size, 16);
  const { base, index } = memory;
  const width =
    base === Register.None && index === Register.None
      ? bitness
      : 8 * RegisterExt.size(base === Register.None ? index : base);
  if (width === 16 && bitness !== 16) return false;
  let offset = BigInt(dataOffset(target, bitness));
  let own = BigInt(memory.displacement);
  if (base === index && base !== Register.None) {
    const value = BigInt.asUintN(width, offset - own) / BigInt(1 + memory.scale);
    set(record, base, value, bitness);
    return BigInt.asUintN(width, offset - own) < 1n << 33n;
  }
  if (index !== Register.None) {
    const step = RegisterExt.size(index) === 1 ? BigInt(chance.below(16)) : BigInt(chance.below(33) - 16);
    set(record, index, step, bitness);
    offset -= BigInt.asIntN(8, step) * BigInt(memory.scale);
  }
  if (base === Register.RIP || base === Register.EIP || base === Register.None)
    return patch(code, instruction, offset, bitness);
  if (base === Register.RSP || base === Register.ESP) {
    // The stack pointer stays where pushes and pops fit; its explicit displacement may miss.
    own = BigInt.asIntN(64, own);
    if (own > -64n && own < 64n) return true;
  }
  set(record, base, BigInt.asUintN(width, offset - own), bitness);
  return true;
}

function set(record: CaseRecord, register: Register, value: bigint, bitness: Bitness): void {
  const keep = RegisterExt.size(register) === 1 ? record.gpr(number(register)) & ~0xffn : 0n;
  const wide = RegisterExt.size(register) === 1 ? value & 0xffn : value;
  record.setGpr(number(register), bitness === 64 ? keep | wide : BigInt.asUintN(32, keep | wide));
}

/** Change the displacement in the code bytes so that the operand lies at `target`. */
function patch(code: Uint8Array, instruction: Instruction, target: bigint, bitness: Bitness): boolean {
  const decoder = new Decoder(bitness, code, DecoderOptions.None);
  const probe = decoder.decode();
  const at = decoder.getConstantOffsets(probe);
  const { displacementOffset, displacementSize } = at;
  at.free();
  probe.free();
  decoder.free();
  if (displacementSize < (bitness === 16 ? 2 : 4)) return false;
  const value = instruction.isIpRelMemoryOperand ? target - BigInt(ENTRY + code.length) : target;
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  if (displacementSize === 8) view.setBigInt64(displacementOffset, value, true);
  else if (displacementSize === 2) view.setInt16(displacementOffset, Number(BigInt.asIntN(16, value)), true);
  else view.setInt32(displacementOffset, Number(BigInt.asIntN(32, value)), true);
  return true;
}

/** Values that keep a case inside its pages and make its interesting paths likely. */
function tame(record: CaseRecord, instruction: Instruction, chance: Chance): void {
  const mnemonic = instruction.mnemonic;
  if (instruction.isStringInstruction) {
    record.setGpr(1, BigInt(chance.below(12)));
  }
  if (
    BIT_OPERATIONS.has(mnemonic) &&
    instruction.op1Kind === OpKind.Register &&
    instruction.op0Kind === OpKind.Memory
  ) {
    const bit = record.gpr(number(instruction.op1Register));
    const used = addresses(instruction, RegisterExt.fullRegister(instruction.op1Register));
    if (!used) record.setGpr(number(instruction.op1Register), BigInt.asUintN(record.bitness, BigInt.asIntN(9, bit)));
  }
  const isDivision = mnemonic === Mnemonic.Div || mnemonic === Mnemonic.Idiv;
  if (isDivision && !addresses(instruction, Register.RAX, Register.RDX)) tameDivision(record, chance);
  if (isBranch(instruction)) tameBranch(record, instruction, chance);
  const stack = Number(record.gpr(4)) - dataOffset(WINDOW_BASE, record.bitness);
  if (mnemonic === Mnemonic.Popf || mnemonic === Mnemonic.Popfd || mnemonic === Mnemonic.Popfq) {
    // Neither the trap flag, alignment checks nor ID, which belong to the helper's surroundings.
    record.window[stack + 1]! &= 0x0e;
    record.window[stack + 2] = 0;
  }
  if (mnemonic === Mnemonic.Leave || mnemonic === Mnemonic.Enter)
    record.setGpr(5, BigInt(dataOffset(MIDDLE, record.bitness) + 8 * chance.below(8)));
}

/** Whether one of the full registers is part of the memory operand's address. */
function addresses(instruction: Instruction, ...registers: readonly Register[]): boolean {
  const parts = [instruction.memoryBase, instruction.memoryIndex].map((part) => RegisterExt.fullRegister(part));
  return parts.some((part) => registers.includes(part));
}

function tameDivision(record: CaseRecord, chance: Chance): void {
  const kind = chance.below(4);
  if (kind === 0) return;
  record.setGpr(2, kind === 1 ? BigInt.asUintN(record.bitness, -(record.gpr(0) >> BigInt(record.bitness - 1))) : 0n);
  if (kind === 3) record.setGpr(0, record.gpr(0) & 0x7fn);
}

/** Direct branches: one byte of displacement stays ahead within the page, more lead to the landing. */
function tameDirect(record: CaseRecord, chance: Chance): void {
  const code = record.code;
  const isRex = (byte: number): boolean => record.bitness === 64 && (byte & 0xf0) === 0x40;
  const first = code.findIndex((byte) => byte !== 0x67 && !isRex(byte));
  const size = code.length - first - (code[first] === 0x0f ? 2 : 1);
  const view = new DataView(code.buffer, code.byteOffset);
  if (size === 4) view.setInt32(code.length - 4, LANDING - ENTRY - code.length, true);
  else if (size === 2) view.setInt16(code.length - 2, LANDING - ENTRY - code.length, true);
  else code[code.length - 1] = chance.below(2) === 0 ? chance.below(100) + 1 : 0x80 + chance.below(100);
}

function tameBranch(record: CaseRecord, instruction: Instruction, chance: Chance): void {
  if ([OpKind.NearBranch16, OpKind.NearBranch32, OpKind.NearBranch64].includes(instruction.op0Kind)) {
    tameDirect(record, chance);
    return;
  }
  const view = new DataView(record.window.buffer, record.window.byteOffset, WINDOW_SIZE);
  const landing = BigInt(codeOffset(LANDING, record.bitness));
  const put = (address: number) => {
    const at = address - dataOffset(WINDOW_BASE, record.bitness);
    if (at >= 0 && at <= WINDOW_SIZE - 8) view.setBigUint64(at, landing, true);
  };
  if (instruction.mnemonic === Mnemonic.Ret) put(Number(record.gpr(4)));
  if (instruction.op0Kind === OpKind.Register) record.setGpr(number(instruction.op0Register), landing);
  else if (instruction.op0Kind === OpKind.Memory) put(effectiveAddress(record, instruction));
}

function effectiveAddress(record: CaseRecord, instruction: Instruction): number {
  if (instruction.isIpRelMemoryOperand) return Number(instruction.ipRelMemoryAddress);
  const { memoryBase, memoryIndex, memoryIndexScale, memoryDisplacement } = instruction;
  const width =
    memoryBase === Register.None
      ? memoryIndex === Register.None
        ? 64
        : 8 * RegisterExt.size(memoryIndex)
      : 8 * RegisterExt.size(memoryBase);
  const part = (register: Register) => (register === Register.None ? 0n : record.gpr(number(register)));
  return Number(
    BigInt.asUintN(width, part(memoryBase) + part(memoryIndex) * BigInt(memoryIndexScale) + memoryDisplacement),
  );
}
