/**
 * The boundary between the hypervisor and the processor: what hardware gives KVM.
 * Everything the guest tells the hypervisor goes through here, so that a trace which records these
 * answers can run hypervisor and devices again without running the guest (`rerun`).
 */

import type { Gpa, Gva, Hva } from '../base/units.ts';

/** How many vCPUs the processor has room for; state that has one bit for each is a 32-bit number. */
export const VCPUS_MAX = 32;

/** VM-execution controls of the current VMCS, as the processor needs them. SDM Vol. 3, 25.6. */
export interface ExecutionControls {
  readonly pin: number;
  readonly primary: number;
  readonly secondary: number;
  readonly exceptionBitmap: number;
  readonly pageFaultErrorCodeMask: number;
  readonly pageFaultErrorCodeMatch: number;
  readonly cr0Mask: bigint;
  readonly cr0Shadow: bigint;
  readonly cr4Mask: bigint;
  readonly cr4Shadow: bigint;
  /** 8 KiB: bitmap A then B. */
  readonly ioBitmap: Uint8Array;
  /** 4 KiB: read low, read high, write low, write high. SDM Vol. 3, 25.6.9. */
  readonly msrBitmap: Uint8Array;
  readonly tscOffset: bigint;
  readonly eptPointer: bigint;
  readonly tprThreshold: number;
  /** Pause-loop exiting, TSC ticks. SDM Vol. 3, 26.1.3. */
  readonly pleGap: number;
  readonly pleWindow: number;
}

/** VM-exit information fields. SDM Vol. 3, 25.9. */
export interface VmExit {
  /** Basic exit reason, SDM Vol. 3 Appendix C. Bit 31 set: VM-entry failure. */
  readonly reason: number;
  readonly qualification: bigint;
  readonly instructionLength: number;
  readonly instructionInfo: number;
  readonly interruptionInfo: number;
  readonly interruptionErrorCode: number;
  readonly idtVectoringInfo: number;
  readonly idtVectoringErrorCode: number;
  readonly guestLinearAddress: bigint;
  readonly guestPhysicalAddress: number;
}

/** Why the processor gave control back, with all that the hypervisor may look at. */
export interface GuestStop {
  /**
   * 'exit': see `exit`. 'budget': the tick budget ended. 'break': a debugger's stop. 'pause': it took long in the
   * host's time; the guest goes on as though nothing had been.
   */
  readonly why: 'exit' | 'budget' | 'break' | 'pause';
  readonly exit: VmExit;
  /** Instructions retired in this run. */
  readonly ticks: number;
  readonly rip: bigint;
  readonly rflags: number;
  /** VMCS guest interruptibility state: b0 STI, b1 MOV SS, b3 NMI. */
  readonly interruptibility: number;
  /** Task priority as the TPR shadow holds it after the run (vTPR[7:4]). */
  readonly cr8: number;
  /** Operands the exit's handler needs, as `OPERANDS` of exit-reasons.ts places them by name. Others: zeros. */
  readonly a0: bigint;
  readonly a1: bigint;
  readonly a2: bigint;
  readonly a3: bigint;
  readonly a4: bigint;
  readonly a5: bigint;
}

/** One memory-mapped access KVM's emulator performed for the guest. `bytes` is 1..16 long. */
export interface MmioAccess {
  readonly gpa: Gpa;
  readonly bytes: Uint8Array;
}

/** What came of emulating the instruction at the guest's rip. `breakpoints`: DR6 bits of those its accesses met. */
export type Emulated =
  | { readonly then: 'done'; readonly writes: readonly MmioAccess[]; readonly breakpoints: number }
  | { readonly then: 'read'; readonly gpa: Gpa; readonly length: number }
  /**
   * INS wants `count` elements (what rCX and the destination page allow; 1 when DF or TF or a breakpoint is set): give
   * them as one read.
   */
  | { readonly then: 'in'; readonly port: number; readonly size: number; readonly count: number }
  /** OUTS was performed for `bytes` (one element), registers have moved on. */
  | {
      readonly then: 'out';
      readonly port: number;
      readonly size: number;
      readonly bytes: Uint8Array;
      readonly breakpoints: number;
    }
  | { readonly then: 'exit'; readonly exit: VmExit }
  | { readonly then: 'failed' };

/**
 * Where guest-physical memory lies for the emulator, which goes by memslots and not by EPT:
 * the host-virtual address, or -1 when the access is MMIO (no slot, or a write to a read-only one).
 */
export type MemoryOfGuest = (gpa: Gpa, write: boolean) => Hva;

/** A task switch the processor left to the hypervisor. */
export interface TaskSwitch {
  readonly selector: number;
  readonly source: number;
  readonly errorCode: number | undefined;
}

/** What came of a task switch. A fault before the old task was saved belongs to it; `failed`: MMIO was needed. */
export interface TaskSwitched {
  readonly then: 'done' | 'fault in the old task' | 'fault in the new task' | 'failed';
  readonly vector: number;
  readonly errorCode: number;
  /** CR2 of a page fault. */
  readonly address: bigint;
}

/** Segment register with its hidden part; `access` is the VMX access-rights format. SDM Vol. 3, Table 25-2. */
export interface Segment {
  selector: number;
  base: bigint;
  limit: number;
  access: number;
}

/** General registers in hardware encoding order. */
export const GPR_NAMES = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
] as const;

/** Architectural registers by the name KVM's ioctls use. Not for exit handlers: those read GuestStop. */
export interface Registers {
  /** rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7, r8..r15 (hardware encoding order). */
  gpr(index: number): bigint;
  setGpr(index: number, value: bigint): void;
  rip: bigint;
  rflags: bigint;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  /** Task priority, bits 3:0 (vTPR[7:4]). */
  cr8: number;
  efer: bigint;
  xcr0: bigint;
  /** es 0, cs 1, ss 2, ds 3, fs 4, gs 5, ldtr 6, tr 7. */
  segment(index: number): Segment;
  setSegment(index: number, segment: Segment): void;
  gdtr: { base: bigint; limit: number };
  idtr: { base: bigint; limit: number };
  dr(index: number): bigint;
  setDr(index: number, value: bigint): void;
  /** MSRs the processor itself keeps: SYSENTER, STAR to FMASK, FS/GS/KERNEL_GS_BASE, TSC_AUX, PAT. */
  msr(index: number): bigint | undefined;
  setMsr(index: number, value: bigint): boolean;
  /** XSAVE area, standard format, legacy region + header (576 bytes). */
  xsave(): Uint8Array;
  setXsave(area: Uint8Array): void;
  interruptibility: number;
  /** 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI. */
  activity: number;
}

export interface Guest {
  /** Registers of one vCPU. */
  registers(vcpu: number): Registers;
  /** Add a vCPU in its reset state (SDM Vol. 3, Table 10-1). Returns its index. */
  addVcpu(): number;
  /** Put a vCPU in its reset ('reset') or INIT ('init') state. */
  resetVcpu(vcpu: number, kind: 'reset' | 'init'): void;
  /** New values for the controls the processor obeys; called when KVM changed the VMCS. */
  setControls(vcpu: number, controls: ExecutionControls): void;
  /** VM entry with optional event injection (VM-entry interruption-information format; 0 = none), then run. */
  run(vcpu: number, budget: number, inject: { info: number; errorCode: number; length: number }): GuestStop;
  /**
   * Emulate the instruction at rip (one iteration of a string instruction). `reads`: MMIO or port data already
   * obtained, in order. 'done' has moved rip on; 'exit' is an exception (reason 0, to be injected) or an EPT violation.
   */
  emulate(vcpu: number, reads: readonly MmioAccess[], memory: MemoryOfGuest): Emulated;
  /**
   * Task switch on KVM's behalf (SDM Vol. 3, 8.3). `source`: exit qualification b31:30; `errorCode` is pushed when
   * given; memory is reached as `emulate` does.
   */
  taskSwitch(vcpu: number, task: TaskSwitch, memory: MemoryOfGuest): TaskSwitched;
  /** Effects on registers by exit handlers. */
  setGpr(vcpu: number, index: number, value: bigint): void;
  setRip(vcpu: number, rip: bigint): void;
  /**
   * Advance rip by the exit's instruction length, count the instruction as retired, clear STI/MOV SS shadow. `next`:
   * where rip comes to, in the guest's mode.
   */
  skipInstruction(vcpu: number, length: number, next: bigint): void;
  /** Host memory (the address space memslots' userspace_addr points into): guest RAM and ROM. */
  readHost(hva: Hva, length: number): Uint8Array;
  writeHost(hva: Hva, bytes: Uint8Array): void;
  /** EPT pages the processor walks: 512 64-bit entries as lo,hi pairs. See memory/ept-pool.ts. */
  readonly eptWords: Uint32Array;
  /** By EPT page: set by whoever writes to it, for checkpoints. Absent: nobody keeps any. */
  readonly eptWritten?: Uint8Array | undefined;
  /** A present EPT entry changed or went away: cached translations must go. */
  invalidateEpt(): void;
  /** A guest-virtual translation for debuggers and KVM_TRANSLATE; no side effects. */
  translate(vcpu: number, linear: Gva): { gpa: Gpa; entries: readonly bigint[] } | undefined;
}

/** All exit-information fields zero: no exit, or what an exit does not use. */
export const NO_EXIT: VmExit = {
  reason: 0,
  qualification: 0n,
  instructionLength: 0,
  instructionInfo: 0,
  interruptionInfo: 0,
  interruptionErrorCode: 0,
  idtVectoringInfo: 0,
  idtVectoringErrorCode: 0,
  guestLinearAddress: 0n,
  guestPhysicalAddress: 0,
};

/** Controls under which nothing exits that need not, and EPT is off. */
export const NO_CONTROLS: ExecutionControls = {
  pin: 0,
  primary: 0,
  secondary: 0,
  exceptionBitmap: 0,
  pageFaultErrorCodeMask: 0,
  pageFaultErrorCodeMatch: 0,
  cr0Mask: 0n,
  cr0Shadow: 0n,
  cr4Mask: 0n,
  cr4Shadow: 0n,
  ioBitmap: new Uint8Array(8192),
  msrBitmap: new Uint8Array(4096),
  tscOffset: 0n,
  eptPointer: 0n,
  tprThreshold: 0,
  pleGap: 0,
  pleWindow: 0,
};
