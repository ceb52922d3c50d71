import iced from 'iced-x86';

const { Decoder, DecoderOptions, Instruction, MemorySizeExt, Mnemonic, OpKind, Register, RegisterExt } = iced;

/** An explicit operand of a decoded instruction. `size` in bytes. */
export type DecodedOperand =
  | { readonly kind: 'register'; readonly register: number; readonly size: number }
  | { readonly kind: 'immediate'; readonly value: bigint; readonly size: number }
  | { readonly kind: 'memory'; readonly size: number }
  | { readonly kind: 'near'; readonly target: bigint; readonly size: 2 | 4 | 8 }
  | { readonly kind: 'far'; readonly selector: number; readonly offset: number }
  | { readonly kind: 'string' };

/** iced's facts about one instruction, as plain data. */
export interface DecodedInstruction {
  readonly mnemonic: string;
  readonly code: number;
  readonly length: number;
  readonly operands: readonly DecodedOperand[];
  /** Memory operand: iced register numbers (0 = none), scale 1..8, signed displacement. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: bigint;
  /** iced segment register in effect (override or default). */
  readonly segment: number;
  readonly rep: boolean;
  readonly repne: boolean;
  readonly lock: boolean;
  /** Operand size of the encoding in bytes (2, 4, 8), from prefixes and REX.W. */
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly bytes: Uint8Array;
  readonly stackIncrement: number;
}

/** 'invalid': no such instruction. 'long': it has more than 15 bytes. 'more': the bytes end before it does. */
export type DecodeOutcome = DecodedInstruction | 'invalid' | 'long' | 'more';

const NAMES: string[] = [];
for (const [name, value] of Object.entries(Mnemonic)) {
  if (typeof value === 'number') NAMES[value] = name.toLowerCase();
}

const scratch = new Instruction();

/** Decode the instruction at the start of `bytes` (at most 15 are used). `rip` gives branch targets. */
export function decodeInstruction(bytes: Uint8Array, bits: 16 | 32 | 64, rip: bigint): DecodeOutcome {
  const window = bytes.length > LONGEST ? bytes.subarray(0, LONGEST) : bytes;
  const decoder = new Decoder(bits, window, HINTS_ARE_NOPS);
  decoder.ip = rip;
  decoder.decodeOut(scratch);
  const failed = scratch.code === 0;
  // 2 is DecoderError.NoMoreBytes.
  const more = failed && decoder.lastError === 2;
  decoder.free();
  if (!failed) return describe(window.slice(0, scratch.length), bits);
  if (bytes.length < LONGEST) return more ? 'more' : 'invalid';
  return isOverlong(window, bits) ? 'long' : 'invalid';
}

/** Instructions that follow one another: what it takes to begin is paid once. */
export class RunDecoder {
  private readonly decoder: InstanceType<typeof Decoder>;
  private readonly bytes: Uint8Array;
  private readonly bits: 16 | 32 | 64;
  private readonly rip: number;
  private at = 0;

  /** The first is at the start of `bytes`, whose end is each one's. `rip` gives branch targets. */
  constructor(bytes: Uint8Array, bits: 16 | 32 | 64, rip: number) {
    this.decoder = new Decoder(bits, bytes, HINTS_ARE_NOPS);
    this.decoder.ip = BigInt(rip);
    this.bytes = bytes;
    this.bits = bits;
    this.rip = rip;
  }

  /** The next one, until one is none. */
  next(): DecodeOutcome {
    const { bytes, bits, at } = this;
    this.decoder.decodeOut(scratch);
    if (scratch.code === 0) return decodeInstruction(bytes.subarray(at), bits, BigInt(this.rip + at));
    this.at += scratch.length;
    return describe(bytes.slice(at, this.at), bits);
  }

  free(): void {
    this.decoder.free();
  }
}

/** Bytes of the longest instruction: one of more raises #GP(0). SDM Vol. 3, 6.15, interrupt 13. */
const LONGEST = 15;

/**
 * 0F 0D and 0F 18 to 0F 1F are NOPs whatever ModRM and prefixes say, and so is what later processors make of them: none
 * of it is announced (CLDEMOTE, CET, MPX, PREFETCHI), and a hint changes nothing.
 */
const HINTS_ARE_NOPS = DecoderOptions.ForceReservedNop;

/**
 * Whether an instruction whose first 15 bytes are no whole one has more than these. Its length is that of the same
 * instruction without the prefixes that do not count for it, which has room to end; an undefined opcode has no ModRM.
 */
function isOverlong(window: Uint8Array, bits: 16 | 32 | 64): boolean {
  const { core, prefixes, dropped } = withoutIdlePrefixes(window, bits);
  const bytes = new Uint8Array(LONGEST);
  bytes.set(core);
  const opcode = bytes.slice(prefixes);
  const length = isUndefinedOpcode(opcode, bits) ? prefixes + opcodeLength(opcode) : lengthOf(bytes, bits);
  return length + dropped > LONGEST;
}

/** Bytes of the instruction, or of what there was to look at before it turned out to be undefined. */
function lengthOf(bytes: Uint8Array, bits: 16 | 32 | 64): number {
  const decoder = new Decoder(bits, bytes, HINTS_ARE_NOPS | DecoderOptions.NoInvalidCheck);
  decoder.decodeOut(scratch);
  decoder.free();
  return scratch.length;
}

const opcodeLength = ([first, second]: Uint8Array): number =>
  first !== 0x0f ? 1 : second === 0x38 || second === 0x3a ? 3 : 2;

/** No ModRM byte and no mandatory prefix makes an instruction of it. */
function isUndefinedOpcode(opcode: Uint8Array, bits: 16 | 32 | 64): boolean {
  const modRmAt = opcodeLength(opcode);
  for (let modRm = 0; modRm < 256; modRm += modRm === 0x38 ? 0x88 : 8) {
    opcode[modRmAt] = modRm;
    for (const prefix of [[], [0x66], [0xf2], [0xf3]]) {
      lengthOf(Uint8Array.of(...prefix, ...opcode), bits);
      if (scratch.code !== 0) return false;
    }
  }
  return true;
}

/** Of each prefix that counts for the length one is left, REX where it counts. */
function withoutIdlePrefixes(
  window: Uint8Array,
  bits: 16 | 32 | 64,
): { core: Uint8Array; prefixes: number; dropped: number } {
  const counting = new Set<number>();
  let rex: number | undefined;
  let at = 0;
  for (; at < window.length; at++) {
    const byte = window[at] as number;
    if (bits === 64 && (byte & 0xf0) === 0x40) rex = byte;
    else if (!LEGACY_PREFIXES.has(byte)) break;
    else {
      rex = undefined;
      if (COUNTING_PREFIXES.has(byte)) counting.add(byte);
    }
  }
  const kept = [...counting, ...(rex === undefined ? [] : [rex])];
  const core = Uint8Array.of(...kept, ...window.subarray(at));
  return { core, prefixes: kept.length, dropped: at - kept.length };
}

/** What `scratch` is, of these bytes. */
function describe(bytes: Uint8Array, bits: 16 | 32 | 64): DecodedInstruction {
  const i = scratch;
  const prefixes = prefixesOf(bytes, bits);
  const operands: DecodedOperand[] = [];
  let memory = false;
  for (let k = 0; k < i.opCount; k++) {
    const operand = operandOf(k);
    memory ||= operand.kind === 'memory' || operand.kind === 'string';
    operands.push(operand);
  }
  const addressSize = prefixes.addressSize;
  return {
    mnemonic: NAMES[i.mnemonic] ?? 'invalid',
    code: i.code,
    length: bytes.length,
    operands,
    base: memory ? i.memoryBase : 0,
    index: memory ? i.memoryIndex : 0,
    scale: memory ? i.memoryIndexScale : 1,
    displacement: memory ? displacementOf(i.memoryDisplacement, addressSize) : 0n,
    segment: memory ? i.memorySegment : 0,
    rep: i.hasRepPrefix,
    repne: i.hasRepnePrefix,
    lock: i.hasLockPrefix,
    operandSize: prefixes.operandSize,
    addressSize,
    bytes,
    stackIncrement: i.stackPointerIncrement,
  };
}

function displacementOf(raw: bigint, addressSize: 2 | 4 | 8): bigint {
  return BigInt.asIntN(addressSize * 8, raw);
}

function operandOf(k: number): DecodedOperand {
  const i = scratch;
  const kind = i.opKind(k);
  switch (kind) {
    case OpKind.Register: {
      const register = i.opRegister(k);
      return { kind: 'register', register, size: sizeOfRegister(register) };
    }
    case OpKind.NearBranch16:
      return { kind: 'near', target: BigInt(i.nearBranch16), size: 2 };
    case OpKind.NearBranch32:
      return { kind: 'near', target: BigInt(i.nearBranch32), size: 4 };
    case OpKind.NearBranch64:
      return { kind: 'near', target: i.nearBranch64, size: 8 };
    case OpKind.FarBranch16:
      return { kind: 'far', selector: i.farBranchSelector, offset: i.farBranch16 };
    case OpKind.FarBranch32:
      return { kind: 'far', selector: i.farBranchSelector, offset: i.farBranch32 };
    case OpKind.Memory:
      return { kind: 'memory', size: sizeOfMemory(i.memorySize) };
    default:
      break;
  }
  if (kind >= OpKind.Immediate8 && kind <= OpKind.Immediate32to64) {
    return { kind: 'immediate', value: i.immediate(k), size: IMMEDIATE_SIZES[kind] ?? 4 };
  }
  return { kind: 'string' };
}

/** iced's answers, which do not change and cost a call out of JavaScript each. */
function remembered(ask: (of: number) => number): (of: number) => number {
  const known: (number | undefined)[] = [];
  return (of) => (known[of] ??= ask(of));
}

const sizeOfRegister = remembered((register) => RegisterExt.size(register));
const sizeOfMemory = remembered((size) => MemorySizeExt.size(size));

const IMMEDIATE_SIZES: Readonly<Record<number, number>> = {
  [OpKind.Immediate8]: 1,
  [OpKind.Immediate8_2nd]: 1,
  [OpKind.Immediate16]: 2,
  [OpKind.Immediate32]: 4,
  [OpKind.Immediate64]: 8,
  [OpKind.Immediate8to16]: 2,
  [OpKind.Immediate8to32]: 4,
  [OpKind.Immediate8to64]: 8,
  [OpKind.Immediate32to64]: 8,
};

/** Operand and address size from the legacy prefixes and REX. SDM Vol. 2, 2.1.1 and 2.2.1. */
function prefixesOf(bytes: Uint8Array, bits: 16 | 32 | 64): { operandSize: 2 | 4 | 8; addressSize: 2 | 4 | 8 } {
  let operand = false;
  let address = false;
  let wide = false;
  for (const byte of bytes) {
    if (bits === 64 && (byte & 0xf0) === 0x40) wide = (byte & 8) !== 0;
    else if (!LEGACY_PREFIXES.has(byte)) break;
    else {
      operand ||= byte === 0x66;
      address ||= byte === 0x67;
      // REX counts right before the opcode only. SDM Vol. 2, 2.2.1.
      wide = false;
    }
  }
  if (bits === 64) {
    return { operandSize: wide ? 8 : operand ? 2 : 4, addressSize: address ? 4 : 8 };
  }
  const natural = bits === 32;
  return { operandSize: natural !== operand ? 4 : 2, addressSize: natural !== address ? 4 : 2 };
}

const LEGACY_PREFIXES = new Set([0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x66, 0x67]);
/** Operand size, address size, and what selects an opcode. */
const COUNTING_PREFIXES = new Set([0x66, 0x67, 0xf2, 0xf3]);

/** iced register numbers, by what the engine needs of them. */
export const ICED = {
  none: 0,
  eip: Register.EIP,
  rip: Register.RIP,
  /** Encoding-order number 0..15 and byte offset of a general register; undefined for others. */
  general(register: number): { index: number; high: boolean } | undefined {
    if (register >= Register.AL && register <= Register.R15L) {
      const at = register - Register.AL;
      // AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8L...
      if (at < 4) return { index: at, high: false };
      if (at < 8) return { index: at - 4, high: true };
      return { index: at - 4, high: false };
    }
    if (register >= Register.AX && register <= Register.R15W) return { index: register - Register.AX, high: false };
    if (register >= Register.EAX && register <= Register.R15D) return { index: register - Register.EAX, high: false };
    if (register >= Register.RAX && register <= Register.R15) return { index: register - Register.RAX, high: false };
    return undefined;
  },
  /** es 0, cs 1, ss 2, ds 3, fs 4, gs 5. */
  segment(register: number): number | undefined {
    return register >= Register.ES && register <= Register.GS ? register - Register.ES : undefined;
  },
  xmm(register: number): number | undefined {
    return register >= Register.XMM0 && register <= Register.XMM15 ? register - Register.XMM0 : undefined;
  },
  mm(register: number): number | undefined {
    return register >= Register.MM0 && register <= Register.MM7 ? register - Register.MM0 : undefined;
  },
  control(register: number): number | undefined {
    return register >= Register.CR0 && register <= Register.CR15 ? register - Register.CR0 : undefined;
  },
  debug(register: number): number | undefined {
    return register >= Register.DR0 && register <= Register.DR15 ? register - Register.DR0 : undefined;
  },
} as const;
