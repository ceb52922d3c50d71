import {
  Code,
  CodeExt,
  CpuidFeature,
  Decoder,
  DecoderOptions,
  EncodingKind,
  Mnemonic,
  type OpCodeInfo,
  OpCodeOperandKind as Kind,
  OpCodeTableKind,
} from 'iced-x86';

import type { Bitness } from './record.ts';

/** One encodable form of an instruction, in what the generator needs to write its bytes. */
export interface Form {
  readonly code: Code;
  readonly text: string;
  readonly mnemonic: Mnemonic;
  readonly vex: boolean;
  /** 0 none, 0x66, 0xf3, 0xf2. */
  readonly mandatoryPrefix: number;
  readonly fwait: boolean;
  /** Bytes between prefixes and opcode: none, 0F, 0F 38, 0F 3A. */
  readonly escape: readonly number[];
  readonly opCode: number;
  readonly opCodeLength: number;
  /** -1 when ModRM.reg names an operand. */
  readonly group: number;
  readonly rmGroup: number;
  readonly w: number;
  readonly l: number;
  readonly operandSize: number;
  readonly kinds: readonly Kind[];
  readonly canLock: boolean;
  readonly canRep: boolean;
  readonly canRepne: boolean;
}

const FEATURES: ReadonlySet<CpuidFeature> = new Set([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL486,
  CpuidFeature.X64,
  CpuidFeature.CMOV,
  CpuidFeature.CX8,
  CpuidFeature.CMPXCHG16B,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
  CpuidFeature.MMX,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.SSE3,
  CpuidFeature.SSSE3,
  CpuidFeature.SSE4_1,
  CpuidFeature.SSE4_2,
  CpuidFeature.POPCNT,
  CpuidFeature.MOVBE,
  CpuidFeature.BMI1,
  CpuidFeature.BMI2,
  CpuidFeature.LZCNT,
  CpuidFeature.ADX,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.PAUSE,
  CpuidFeature.PREFETCHW,
]);

/** Not user-mode computation, not repeatable on another processor, or without an exact result. */
const LEFT_OUT: ReadonlySet<Mnemonic> = new Set([
  // Leave the program, or need a system around them.
  Mnemonic.Hlt,
  Mnemonic.In,
  Mnemonic.Out,
  Mnemonic.Insb,
  Mnemonic.Insd,
  Mnemonic.Insw,
  Mnemonic.Outsb,
  Mnemonic.Outsd,
  Mnemonic.Outsw,
  Mnemonic.Int,
  Mnemonic.Int1,
  Mnemonic.Int3,
  Mnemonic.Into,
  Mnemonic.Iret,
  Mnemonic.Iretd,
  Mnemonic.Iretq,
  Mnemonic.Syscall,
  Mnemonic.Sysenter,
  Mnemonic.Sysexit,
  Mnemonic.Sysret,
  Mnemonic.Sysexitq,
  Mnemonic.Sysretq,
  Mnemonic.Retf,
  Mnemonic.Cli,
  Mnemonic.Sti,
  Mnemonic.Lds,
  Mnemonic.Les,
  Mnemonic.Lfs,
  Mnemonic.Lgs,
  Mnemonic.Lss,
  Mnemonic.Lar,
  Mnemonic.Lsl,
  Mnemonic.Verr,
  Mnemonic.Verw,
  Mnemonic.Arpl,
  Mnemonic.Sgdt,
  Mnemonic.Sidt,
  Mnemonic.Sldt,
  Mnemonic.Smsw,
  Mnemonic.Str,
  Mnemonic.Lgdt,
  Mnemonic.Lidt,
  Mnemonic.Lldt,
  Mnemonic.Lmsw,
  Mnemonic.Ltr,
  Mnemonic.Clts,
  Mnemonic.Invd,
  Mnemonic.Wbinvd,
  Mnemonic.Invlpg,
  Mnemonic.Rdmsr,
  Mnemonic.Wrmsr,
  Mnemonic.Rdpmc,
  Mnemonic.Rdtsc,
  Mnemonic.Cpuid,
  Mnemonic.Rsm,
  Mnemonic.Monitor,
  Mnemonic.Mwait,
  Mnemonic.Loadall,
  Mnemonic.Storeall,
  Mnemonic.Bound,
  Mnemonic.Umov,
  Mnemonic.Ibts,
  Mnemonic.Xbts,
  // The instruction and data pointers they store differ between makers.
  Mnemonic.Fnstenv,
  Mnemonic.Fstenv,
  Mnemonic.Fnsave,
  Mnemonic.Fsave,
  Mnemonic.Fldenv,
  Mnemonic.Frstor,
  Mnemonic.Fxsave,
  Mnemonic.Fxrstor,
  Mnemonic.Fxsave64,
  Mnemonic.Fxrstor64,
  // Approximations (SDM Vol. 2 gives an error bound, not a value) and transcendental functions.
  Mnemonic.Rcpps,
  Mnemonic.Rcpss,
  Mnemonic.Rsqrtps,
  Mnemonic.Rsqrtss,
  Mnemonic.Fsin,
  Mnemonic.Fcos,
  Mnemonic.Fsincos,
  Mnemonic.Fptan,
  Mnemonic.Fpatan,
  Mnemonic.F2xm1,
  Mnemonic.Fyl2x,
  Mnemonic.Fyl2xp1,
  // x87 control words of other makers.
  Mnemonic.Fdisi,
  Mnemonic.Fndisi,
  Mnemonic.Feni,
  Mnemonic.Fneni,
  Mnemonic.Fsetpm,
  Mnemonic.Fnsetpm,
  Mnemonic.Fstdw,
  Mnemonic.Fstsg,
  Mnemonic.Frstpm,
  Mnemonic.Frinear,
  Mnemonic.Frint2,
  Mnemonic.Frichop,
  Mnemonic.Ftstp,
]);

/** Undocumented twins (FFREEP, D0/D1 SALC...) that makers treat differently. */
const LEFT_OUT_TEXT =
  /^(FSTPNCE|FSTP8|FSTP9|FCOM2|FCOMP3|FCOMP5|FXCH4|FXCH7|JMPE|UD|BB0|BB1|RESERVEDNOP|ALTINST|ZALLOC)/;

const FAR = new Set<Kind>([Kind.farbr2_2, Kind.farbr4_2]);
const SPECIAL = new Set<Kind>([Kind.seg_reg, Kind.cr_reg, Kind.dr_reg, Kind.tr_reg, Kind.mem_vsib32x, Kind.mem_mib]);
const FIXED_SEGMENTS = new Set<Kind>([Kind.es, Kind.cs, Kind.ss, Kind.ds, Kind.fs, Kind.gs]);
const ESCAPES = new Map<OpCodeTableKind, readonly number[]>([
  [OpCodeTableKind.Normal, []],
  [OpCodeTableKind.T0F, [0x0f]],
  [OpCodeTableKind.T0F38, [0x0f, 0x38]],
  [OpCodeTableKind.T0F3A, [0x0f, 0x3a]],
]);
const MANDATORY = [0, 0, 0x66, 0xf3, 0xf2];

function existsIn(op: OpCodeInfo, bitness: Bitness): boolean {
  if (bitness === 64) return op.mode64 && op.intelDecoder64;
  return bitness === 32 ? op.mode32 && op.intelDecoder32 : op.mode16 && op.intelDecoder16;
}

function formOf(code: Code, bitness: Bitness): Form | undefined {
  const op = CodeExt.opCode(code);
  try {
    const leading = ESCAPES.get(op.table);
    const legacy = op.encoding === EncodingKind.Legacy;
    if (leading === undefined || !(legacy || op.encoding === EncodingKind.VEX)) return undefined;
    if (!op.isInstruction || op.isPrivileged || op.mustBeCpl0 || LEFT_OUT.has(op.mnemonic)) return undefined;
    if (!existsIn(op, bitness)) return undefined;
    if (op.isReservedNop || op.decoderOption !== 0 || LEFT_OUT_TEXT.test(op.instructionString)) return undefined;
    const kinds = Array.from({ length: op.opCount }, (_, i) => op.opKind(i));
    if (kinds.some((kind) => FAR.has(kind) || SPECIAL.has(kind) || FIXED_SEGMENTS.has(kind))) return undefined;
    if (/m16:|far/i.test(op.instructionString)) return undefined;
    return {
      code,
      text: op.instructionString,
      mnemonic: op.mnemonic,
      vex: !legacy,
      fwait: op.fwait,
      escape: leading,
      kinds,
      mandatoryPrefix: MANDATORY[op.mandatoryPrefix]!,
      opCode: op.opCode,
      opCodeLength: op.opCodeLength,
      group: op.isGroup ? op.groupIndex : -1,
      rmGroup: op.isRmGroup ? op.rmGroupIndex : -1,
      w: op.W,
      l: op.L,
      operandSize: op.operandSize,
      canLock: op.canUseLockPrefix,
      canRep: op.canUseRepPrefix,
      canRepne: op.canUseRepnePrefix,
    };
  } finally {
    op.free();
  }
}

/** The CPUID features an instruction needs. */
export function featuresOf(code: Uint8Array, bitness: Bitness): CpuidFeature[] {
  const decoder = new Decoder(bitness, code, DecoderOptions.None);
  const instruction = decoder.decode();
  const features = [...(instruction.cpuidFeatures() as Iterable<CpuidFeature>)];
  instruction.free();
  decoder.free();
  return features;
}

/** Whether our processor has every feature the instruction needs; what of them the host lacks, the probe finds. */
export const isShared = (code: Uint8Array, bitness: Bitness): boolean =>
  featuresOf(code, bitness).every((feature) => FEATURES.has(feature));

/** Every form a user-mode case can be made of, in iced's order. */
export function forms(bitness: Bitness): readonly Form[] {
  const list: Form[] = [];
  for (const name of Object.keys(Code)) {
    const code = (Code as unknown as Record<string, unknown>)[name];
    if (typeof code !== 'number') continue;
    const form = formOf(code as Code, bitness);
    if (form !== undefined) list.push(form);
  }
  return list;
}
