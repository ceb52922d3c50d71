import { MSR } from '../../x86/msrs.ts';

/**
 * Where everything lies in the engine's one WebAssembly.Memory. Byte addresses, little-endian.
 * The architectural block is swapped when another vCPU takes its turn; the rest is derived or scratch.
 */

/** Architectural state of the selected vCPU. Swapped as a whole. */
export const BLOCK = 0x1000;
export const BLOCK_SIZE = 0x600;

export const GPR = BLOCK; // 16 x 8, hardware encoding order
/** Always zero: stands for an absent base, index or segment base. */
export const ZERO_SLOT = BLOCK + 0x80;
/** rip of byte 0 of the current code page: rip = RIP_PAGE + page offset. */
export const RIP_PAGE = BLOCK + 0x88;
/** Architectural rip while the dispatch loop is not running. */
export const RIP = BLOCK + 0x90;
/** Lazy flags: ZF = (result == 0), SF = result.63 ^ cin.1, PF = parity(result.7:0) ^ cin.0. */
export const FLAG_RESULT = BLOCK + 0xa0;
/** Carry-in vector (a ^ b ^ result, sign-extended): AF = cin.4, OF = CF ^ cin.63. */
export const FLAG_CIN = BLOCK + 0xa8;
export const FLAG_CF = BLOCK + 0xb0; // i32 0/1
/** The other RFLAGS bits (IF DF TF IOPL NT RF VM AC VIF VIP ID) and bit 1. */
export const FLAGS_REST = BLOCK + 0xb4; // i32
export const SEG_BASE = BLOCK + 0xc0; // 8 x 8: es cs ss ds fs gs ldtr tr
export const SEG_SELECTOR = BLOCK + 0x100; // 8 x 4
export const SEG_LIMIT = BLOCK + 0x120; // 8 x 4
export const SEG_ACCESS = BLOCK + 0x140; // 8 x 4, VMX access-rights format
export const GDTR_BASE = BLOCK + 0x160;
export const GDTR_LIMIT = BLOCK + 0x168;
export const IDTR_BASE = BLOCK + 0x170;
export const IDTR_LIMIT = BLOCK + 0x178;
export const CR0 = BLOCK + 0x180;
export const CR2 = BLOCK + 0x188;
export const CR3 = BLOCK + 0x190;
export const CR4 = BLOCK + 0x198;
export const EFER = BLOCK + 0x1a0;
export const CR8 = BLOCK + 0x1a8;
export const XCR0 = BLOCK + 0x1b0;
export const DR = BLOCK + 0x1c0; // 8 x 8
export const DR6 = DR + 8 * 6;
export const DR7 = DR + 8 * 7;
export const PDPTE = BLOCK + 0x200; // 4 x 8
/** MSRs the processor keeps, 8 bytes each: see MSR_SLOTS. */
export const MSRS = BLOCK + 0x220;
export const INTERRUPTIBILITY = BLOCK + 0x2a0; // i32
export const ACTIVITY = BLOCK + 0x2a4; // i32
export const CPL = BLOCK + 0x2a8; // i32
/** Data breakpoints that were hit (DR6 bits) and are yet to be reported: MOV SS holds them back for an instruction. */
export const PENDING_DEBUG = BLOCK + 0x2ac; // i32
/** Nonzero: KVM changed a control register, so that PAE's pointers are loaded before the guest runs on. */
export const POINTERS_DUE = BLOCK + 0x2c0; // i32
/** PAUSE-loop exiting: guest TSC at the first and the last PAUSE of the loop. */
export const PLE_FIRST = BLOCK + 0x2b0;
export const PLE_LAST = BLOCK + 0x2b8;
export const X87_REGISTERS = BLOCK + 0x300; // 8 x 16, physical order, 10 bytes used
export const FCW = BLOCK + 0x380; // u16
export const FSW = BLOCK + 0x382; // u16, TOP inside
export const FTW = BLOCK + 0x384; // u16, full 2-bit tags
export const FOP = BLOCK + 0x386; // u16
export const FIP = BLOCK + 0x388; // u64
export const FDP = BLOCK + 0x390; // u64
export const FCS = BLOCK + 0x398; // u16
export const FDS = BLOCK + 0x39a; // u16
export const MXCSR = BLOCK + 0x39c; // u32
export const XMM = BLOCK + 0x400; // 16 x 16

/** MSR number -> slot address. SDM Vol. 4. */
export const MSR_SLOTS: Readonly<Record<number, number>> = {
  [MSR.STAR]: MSRS,
  [MSR.LSTAR]: MSRS + 8,
  [MSR.CSTAR]: MSRS + 16,
  [MSR.FMASK]: MSRS + 24,
  [MSR.KERNEL_GS_BASE]: MSRS + 32,
  [MSR.SYSENTER_CS]: MSRS + 40,
  [MSR.SYSENTER_ESP]: MSRS + 48,
  [MSR.SYSENTER_EIP]: MSRS + 56,
  [MSR.TSC_AUX]: MSRS + 64,
  [MSR.PAT]: MSRS + 72,
  [MSR.SPEC_CTRL]: MSRS + 80,
  [MSR.XSS]: MSRS + 88,
  [MSR.FS_BASE]: SEG_BASE + 32,
  [MSR.GS_BASE]: SEG_BASE + 40,
};
export const STAR = MSRS;
export const LSTAR = MSRS + 8;
export const FMASK = MSRS + 24;
export const KERNEL_GS_BASE = MSRS + 32;
export const SYSENTER_CS = MSRS + 40;
export const SYSENTER_ESP = MSRS + 48;
export const SYSENTER_EIP = MSRS + 56;
export const TSC_AUX = MSRS + 64;

/** Derived and scratch, not architectural. */
const SCRATCH = 0x1800;
/** Ranges of valid offsets per segment, 8 x 32: read min, read max, write min, write max (i64). */
export const SEG_RANGE = SCRATCH; // 6 x 32
/** Guest TSC when the tick counter stood at `TSC_TICKS`. */
export const TSC_BASE = SCRATCH + 0x100;
export const TSC_TICKS = SCRATCH + 0x108; // i32
export const TSC_PER_TICK = SCRATCH + 0x10c; // i32
/** Why the handler returned 0; see STOP. */
export const STOP_CODE = SCRATCH + 0x110; // i32
/** Vector, error code of the fault a handler met. */
export const FAULT_VECTOR = SCRATCH + 0x114;
export const FAULT_ERROR = SCRATCH + 0x118;
/** Record of the instruction that stopped. */
export const STOP_UOP = SCRATCH + 0x11c;
/** Wraps rip: all ones in 64-bit code, 0xffffffff else. Only a branch of 16-bit operand size cuts it further. */
export const RIP_MASK = SCRATCH + 0x120; // i64
/** Stack address mask by SS.B / long mode. */
export const STACK_MASK = SCRATCH + 0x128; // i64
/** Bounce buffer for page-crossing and memory-mapped accesses. */
export const BOUNCE = SCRATCH + 0x180; // 64 bytes
/** 128-bit scratch operands of SSE handlers and assists. */
export const XMM_SCRATCH = SCRATCH + 0x200; // 4 x 16
/** 256 bytes: parity of each byte. */
export const PARITY = SCRATCH + 0x300;

/** Blocks of the vCPUs that are not running, BLOCK_SIZE each: VCPUS_MAX of them. */
export const VCPU_BLOCKS = 0x4000;

/** Soft TLB: hashed, direct-mapped. Entry: read tag, write tag, execute tag (i64), addend, code table (i32). */
export const TLB = 0x10000;
export const TLB_BITS = 13;
export const TLB_ENTRY = 32;
export const TLB_SIZE = TLB_ENTRY << TLB_BITS;
export const TAG_READ = 0;
export const TAG_WRITE = 8;
export const TAG_EXECUTE = 16;
export const TLB_ADDEND = 24;
export const TLB_CODE = 28;

/** Decoded code: per page and mode a table of 4096 record addresses, and the records. */
export const CODE_ARENA = 0x80000;
export const CODE_ARENA_SIZE = 96 << 20;
/** Host memory: guest RAM and ROM. hva 0 is here. */
export const HOST_MEMORY = CODE_ARENA + CODE_ARENA_SIZE;

/** One micro-op record. */
export const RECORD = 64;
export const R_HANDLER = 0; // u16
export const R_LENGTH = 2; // u8
export const R_OFFSET = 4; // u16, page offset of the instruction
export const R_REG = [6, 8, 10] as const; // u16 slot addresses
export const R_BASE = 12; // u16 slot
export const R_INDEX = 14; // u16 slot
export const R_SCALE = 16; // u8 shift
export const R_SEGMENT = 17; // u8
export const R_SEGBASE = 18; // u16 slot
export const R_DISP = 20; // i32
export const R_IMM = 24; // i64
export const R_TARGET = 32; // i32 record address, 0 = not linked
export const R_WRAP = 36; // u8: shift that wraps the effective address (0, 32, 48)
export const R_CUT = 37; // u8: the branch has 16-bit operand size, so that its target is cut to IP
export const R_HEAT = 38; // u16: taken branches to it until it counts as hot; 0 stands for 65536
export const R_NEXT = 40; // u16, page offset of the next instruction (may be 4096 and more)
export const R_PAGE = 44; // i32, code page number, for invalidation
export const R_BYTES = 48; // the instruction itself, up to 15 bytes

/** Reasons a handler returns 0. */
export const STOP = {
  /** Continue at RIP: look the record up. */
  resume: 0,
  /** An exception: FAULT_VECTOR and FAULT_ERROR; rip of the record. */
  fault: 1,
  /** A VM exit has been described by an assist. */
  exit: 2,
  /** The memory access could not complete: the slow path knows (fault or exit). */
  memory: 3,
} as const;

/** Base that turns rip into a linear address: 0 in 64-bit code, the CS base else (i64). */
export const CODE_BASE = SCRATCH + 0x130;
/** Where the last page ends that lies in the code segment as a whole (i64): from there on every fetch is checked. */
export const CODE_END = SCRATCH + 0x148;
/** Highest offset of the code segment; all ones in 64-bit code (i64). */
export const CODE_LIMIT = SCRATCH + 0x150;
/** Linear addresses outside 64-bit mode have 32 bits (i64 mask). */
export const LINEAR_MASK = SCRATCH + 0x138;
/** Value of the global `ticks` right after STI: its shadow is on while they are equal. */
export const SHADOW_TICKS = SCRATCH + 0x140; // i32
/** Nonzero: KVM asked for an interrupt-window exit. */
export const WINDOW_WANTED = SCRATCH + 0x144; // i32
