import type { ExecutionControls, VmExit } from '../../x86/guest.ts';
import type { PagingMode } from '../mmu/guest-walk.ts';
import type { Mmu } from '../mmu/mmu.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { CpuState } from '../state/state.ts';

/** The registers of the vCPU whose turn it is, and the memory they lie in. */
export interface RegisterFile {
  readonly memory: EngineMemory;
  readonly state: CpuState;
}

/** Registers, and what lies behind a linear address, found without side effects. */
export interface Peeking extends RegisterFile {
  readonly mmu: Pick<Mmu, 'peek'>;
}

/**
 * The guest's memory as an instruction sees it: linear addresses, translated and checked. Where an access cannot be
 * made, what comes instead is thrown (`fault.ts`).
 */
export interface GuestMemory {
  read(linear: bigint, size: 1 | 2 | 4): number;
  read64(linear: bigint): bigint;
  readValue(linear: bigint, size: number): bigint;
  readBytes(linear: bigint, size: number): Uint8Array;
  writeValue(linear: bigint, size: number, value: bigint): void;
  writeBytes(linear: bigint, bytes: Uint8Array): void;
  /** Fault now rather than later: the range must be writable. */
  probeWrite(linear: bigint, size: number): void;
  /** Linear address of `offset` in a segment, checked. SDM Vol. 3, 5.3. */
  linear(segment: number, offset: bigint, size: number, write: boolean): bigint;
  /** Run `body` with supervisor rights, as the processor does for descriptor tables and the TSS. */
  asSystem<T>(body: () => T): T;
  /** `count` 64-bit words of guest-physical memory, read as the processor reads paging structures. */
  physicalRead64(gpa: bigint, count: number): bigint[];
}

/** What is derived from registers and has to be told when they change. */
export interface Modes {
  /** How linear addresses are translated. */
  readonly mmu: {
    readonly mode: Readonly<PagingMode>;
    /** CR3 or what it points to changed, and no other register. */
    refresh(): void;
    /** CPL or AC changed, and nothing else. */
    select(): void;
  };
  /** Control registers changed. */
  refresh(): void;
  /** Segments, CPL or AC changed. */
  modeChanged(): void;
  /** RFLAGS were loaded: traps and windows may be due at the next boundary. */
  flagsLoaded(): void;
}

/** The boundary the instruction at hand comes to: what follows it, and what comes instead. */
export interface Boundary {
  /** The instruction ends in this VM exit: what its routine returns. */
  exitWith(exit: VmExit): 'exit';
  /** It retires although it exits (trap-like exits). */
  retireBeforeExit(): void;
  /** STI (1) or MOV SS (2): interrupts wait one instruction more. */
  shadow(kind: 1 | 2): void;
  /** The shadow of STI or MOV SS is over. */
  endShadow(): void;
  /** IRET loaded RF: it holds for the next instruction and is cleared after it. SDM Vol. 3, 18.3.1.1. */
  resumeLoaded(): void;
  /** TF counts as it is after SYSCALL and SYSRET. SDM Vol. 3, 18.3.1.4. */
  trapByFlagNow(): void;
}

/** The run's time as an instruction sees it. */
export interface Clock {
  /** Guest TSC now. */
  timeStamp(): bigint;
  /** End the slice after the instruction at hand, to look at conditions. */
  stopSoon(): void;
  /** PAUSE-loop exiting: whether this PAUSE is one too many. SDM Vol. 3, 26.1.3. */
  pauseLoop(): boolean;
}

/** The processor as the routines see it that perform instructions and deliver events. */
export interface Core extends RegisterFile, GuestMemory, Modes, Boundary {
  readonly controls: ExecutionControls;
  readonly clock: Clock;
  readonly debug: {
    /** DR7 or the address registers changed. */
    changed(): void;
    /** The instruction at hand met breakpoints: DR6 bits of a #DB after it. */
    noteHits(hits: number): void;
    /** Data breakpoints that were hit, which are reported now. */
    takeHits(): number;
  };
  readonly events: {
    /** DR6 bits of the debug exception at hand. */
    pendingDebug: number;
    /** Linear address of the page fault at hand, which is not in CR2 yet. */
    readonly faultAddress: bigint;
  };
  /** A debugger who waits for MSRs. */
  readonly stops: {
    readonly msrs: readonly unknown[] | undefined;
    noticeMsr(index: number, write: boolean): boolean;
  };
  /** Next 64 bits of the recorded entropy stream, for RDRAND and RDSEED. */
  seed(): bigint;
}
