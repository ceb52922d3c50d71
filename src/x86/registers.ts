/**
 * Bits of the processor's registers, as the manual names them. Tables of numbers; of the 64-bit registers the boundary
 * gives as bigints, the bits asked for there follow as bigints under the register's name.
 */

/** SDM Vol. 3, 2.5. */
export const CR0 = {
  PE: 1 << 0,
  MP: 1 << 1,
  EM: 1 << 2,
  TS: 1 << 3,
  ET: 1 << 4,
  NE: 1 << 5,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 0x8000_0000,
} as const;

export const CR0_PE = BigInt(CR0.PE);
export const CR0_TS = BigInt(CR0.TS);
export const CR0_ET = BigInt(CR0.ET);
export const CR0_NE = BigInt(CR0.NE);
export const CR0_NW = BigInt(CR0.NW);
export const CR0_CD = BigInt(CR0.CD);
export const CR0_PG = BigInt(CR0.PG);

/** SDM Vol. 3, 2.5. */
export const CR4 = {
  VME: 1 << 0,
  PVI: 1 << 1,
  TSD: 1 << 2,
  DE: 1 << 3,
  PSE: 1 << 4,
  PAE: 1 << 5,
  MCE: 1 << 6,
  PGE: 1 << 7,
  PCE: 1 << 8,
  OSFXSR: 1 << 9,
  OSXMMEXCPT: 1 << 10,
  UMIP: 1 << 11,
  LA57: 1 << 12,
  VMXE: 1 << 13,
  SMXE: 1 << 14,
  FSGSBASE: 1 << 16,
  PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
  PKE: 1 << 22,
} as const;

export const CR4_DE = BigInt(CR4.DE);
export const CR4_PSE = BigInt(CR4.PSE);
export const CR4_PAE = BigInt(CR4.PAE);
export const CR4_MCE = BigInt(CR4.MCE);
export const CR4_LA57 = BigInt(CR4.LA57);
export const CR4_VMXE = BigInt(CR4.VMXE);
export const CR4_PCIDE = BigInt(CR4.PCIDE);
export const CR4_OSXSAVE = BigInt(CR4.OSXSAVE);

/** SDM Vol. 3, 2.2.1. */
export const EFER = { SCE: 1 << 0, LME: 1 << 8, LMA: 1 << 10, NX: 1 << 11 } as const;

export const EFER_SCE = BigInt(EFER.SCE);
export const EFER_LME = BigInt(EFER.LME);
export const EFER_LMA = BigInt(EFER.LMA);
export const EFER_NX = BigInt(EFER.NX);

/** SDM Vol. 1, 13.3. */
export const XCR0 = { X87: 1 << 0, SSE: 1 << 1, AVX: 1 << 2 } as const;

/** SDM Vol. 1, 3.4.3, and Vol. 3, 2.3. `FIXED` is always set. */
export const RFLAGS = {
  CF: 1 << 0,
  FIXED: 1 << 1,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
  /** All of them but the fixed one. */
  ALL: 0x3f_7fd5,
} as const;

export const RFLAGS_FIXED = BigInt(RFLAGS.FIXED);
export const RFLAGS_TF = BigInt(RFLAGS.TF);
export const RFLAGS_IF = BigInt(RFLAGS.IF);
export const RFLAGS_RF = BigInt(RFLAGS.RF);
export const RFLAGS_VM = BigInt(RFLAGS.VM);

/** SDM Vol. 3, 18.2.3. `ONES` read as one. */
export const DR6 = { B0_TO_B3: 0xf, BD: 1 << 13, BS: 1 << 14, BT: 1 << 15, ONES: 0xffff_0ff0 } as const;

export const DR6_BD = BigInt(DR6.BD);
export const DR6_BS = BigInt(DR6.BS);
export const DR6_ONES = BigInt(DR6.ONES);

/** SDM Vol. 3, 18.2.4. `ONE` reads as one. */
export const DR7 = { ENABLES: 0xff, LOCAL_ENABLES: 0x55, LE: 1 << 8, GE: 1 << 9, ONE: 1 << 10, GD: 1 << 13 } as const;

export const DR7_ONE = BigInt(DR7.ONE);
export const DR7_GD = BigInt(DR7.GD);

/** General registers by their number in instructions. SDM Vol. 2, Table 2-1 and following. */
export const GPR = { RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7, R11: 11 } as const;

/** Segment registers by their number in instructions; LDTR and TR after them. */
export const SEG = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

/** Those that neither code nor the stack needs. */
export const DATA_SEGMENTS = [SEG.ES, SEG.DS, SEG.FS, SEG.GS] as const;

/** Names of the segment registers by number. */
export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

/** A segment's access rights as the VMCS holds them. SDM Vol. 3, Table 25-2. Of `TYPE`, see Table 3-1. */
export const ACCESS = {
  TYPE: 0xf,
  ACCESSED: 1 << 0,
  WRITABLE: 1 << 1,
  READABLE: 1 << 1,
  EXPAND_DOWN: 1 << 2,
  CONFORMING: 1 << 2,
  CODE: 1 << 3,
  CODE_OR_DATA: 1 << 4,
  DPL: 3 << 5,
  PRESENT: 1 << 7,
  LONG: 1 << 13,
  BIG: 1 << 14,
  GRANULARITY: 1 << 15,
  UNUSABLE: 1 << 16,
} as const;

/**
 * The high double word of a descriptor: from bit 8 on the access rights as above, but for bits 19:16, of the limit.
 * SDM Vol. 3, 3.4.5 and 3.5.
 */
export const DESCRIPTOR = {
  BASE_23_16: 0xff,
  BASE_31_24: 0xff00_0000,
  LIMIT_19_16: 0xf_0000,
  ACCESSED: 1 << 8,
  SEGMENT: 1 << 12,
  PRESENT: 1 << 15,
  LONG: 1 << 21,
  BIG: 1 << 22,
  GRANULARITY: 1 << 23,
  /** Where the access rights start. */
  ACCESS_SHIFT: 8,
  DPL_SHIFT: 13,
} as const;

/** What SYSCALL and SYSRET load, and SYSENTER and SYSEXIT: flat, present, accessed. DPL 0. SDM Vol. 2, SYSCALL. */
export const FLAT = { CODE_64: 0xa09b, CODE_32: 0xc09b, DATA: 0xc093, LIMIT: 0xffff_ffff } as const;

/** Guest interruptibility state. SDM Vol. 3, Table 25-3. */
export const BLOCKED_BY = { STI: 1 << 0, MOV_SS: 1 << 1, SMI: 1 << 2, NMI: 1 << 3 } as const;

/** Guest activity state. SDM Vol. 3, 25.4.2. */
export const ACTIVITY = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const;

/** CR0 after power-up, reset and INIT. SDM Vol. 3, Table 10-1. */
export const CR0_AT_RESET = CR0_CD | CR0_NW | CR0_ET;
