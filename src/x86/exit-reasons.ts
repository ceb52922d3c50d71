/**
 * Every reason for which a guest is left, one row each. SDM Vol. 3, Appendix C; named as Linux names it in its traces.
 * The processor asks a row which control makes the instruction at hand exit and what the handler is given;
 * `kvm/exits/table.ts` has a handler by the same name.
 */
import { PIN, PRIMARY, SECONDARY } from './controls.ts';

/** A field of the exit qualification: where its lowest bit lies, and how many it has. */
export interface QualificationField {
  readonly at: number;
  readonly mask: number;
}

/** A control that makes an exit happen: a word of the VMCS and a bit of it. */
export interface ExitControl {
  readonly in: 'pin' | 'primary' | 'secondary';
  readonly bit: number;
}

/**
 * What the processor hands to the handler, by name. Registers are as wide as their names say; `edx:eax` is both.
 * `source`: of a control or debug register access, the general register; `out`: what OUT writes, of IN all of rAX, of
 * a string its rCX; `address`: of a string the linear address; `breakpoints`: DR6 bits of those on its ports; `mode`:
 * CPL in bits 1:0, 64-bit mode in bit 2.
 */
export type Operand =
  | ('eax' | 'ecx' | 'edx:eax' | 'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi')
  | ('source' | 'out' | 'address' | 'breakpoints' | 'mode');

/** One reason. */
export interface ExitReason {
  /** Basic exit reason: bits 15:0 of the field. */
  readonly number: number;
  /**
   * Instructions of which the processor has nothing but this exit, in lower case: undefined where none of the controls
   * is set, always an exit where there are no controls. Those it has ask `intercepts` themselves.
   */
  readonly instructions?: readonly string[];
  /** Any of them makes it happen; absent: it needs none, or bitmaps and masks decide as well. */
  readonly controls?: readonly ExitControl[];
  readonly qualification?: Readonly<Record<string, QualificationField>>;
  /** At most six. */
  readonly operands?: readonly Operand[];
  /** May interrupt the delivery of an event, which is then delivered anew. Linux __vmx_handle_exit. */
  readonly duringDelivery?: true;
}

const bits = (high: number, low: number = high): QualificationField => ({ at: low, mask: 2 ** (high - low + 1) - 1 });
const pin = (bit: number): ExitControl => ({ in: 'pin', bit });
const primary = (bit: number): ExitControl => ({ in: 'primary', bit });
const secondary = (bit: number): ExitControl => ({ in: 'secondary', bit });

/** SDM Vol. 3, Tables 28-7 (EPT) and 28-3 (control registers); the others by their reason's name in 28.2.1. */
const EPT_VIOLATION = {
  read: bits(0),
  write: bits(1),
  fetch: bits(2),
  /** What the entries allow. */
  readable: bits(3),
  writable: bits(4),
  executable: bits(5),
  linearValid: bits(7),
  /** Rather than to a paging structure on the way. */
  toFinal: bits(8),
  nmiUnblocked: bits(12),
} as const;

/** access: 0 MOV to, 1 MOV from, 2 CLTS, 3 LMSW. */
const CR_ACCESS = {
  cr: bits(3, 0),
  access: bits(5, 4),
  lmswMemory: bits(6),
  register: bits(11, 8),
  lmswSource: bits(31, 16),
} as const;
const DR_ACCESS = { dr: bits(2, 0), read: bits(4), register: bits(11, 8) } as const;
/** size: in bytes, less one. */
const IO = {
  size: bits(2, 0),
  in: bits(3),
  string: bits(4),
  rep: bits(5),
  immediate: bits(6),
  port: bits(31, 16),
} as const;
/** source: 0 CALL, 1 IRET, 2 JMP, 3 task gate of the IDT. */
const TASK_SWITCH = { selector: bits(15, 0), source: bits(31, 30) } as const;

export const EXIT_REASONS = {
  EXCEPTION_NMI: { number: 0, duringDelivery: true },
  EXTERNAL_INTERRUPT: { number: 1, controls: [pin(PIN.EXTERNAL_INTERRUPT_EXITING)] },
  TRIPLE_FAULT: { number: 2 },
  INIT_SIGNAL: { number: 3 },
  SIPI_SIGNAL: { number: 4, qualification: { vector: bits(7, 0) } },
  INTERRUPT_WINDOW: { number: 7, controls: [primary(PRIMARY.INTERRUPT_WINDOW_EXITING)] },
  NMI_WINDOW: { number: 8, controls: [primary(PRIMARY.NMI_WINDOW_EXITING)] },
  TASK_SWITCH: { number: 9, qualification: TASK_SWITCH, duringDelivery: true },
  CPUID: { number: 10, operands: ['eax', 'ecx'] },
  HLT: { number: 12, controls: [primary(PRIMARY.HLT_EXITING)] },
  INVD: { number: 13 },
  INVLPG: { number: 14, controls: [primary(PRIMARY.INVLPG_EXITING)] },
  RDPMC: { number: 15, controls: [primary(PRIMARY.RDPMC_EXITING)] },
  RDTSC: { number: 16, controls: [primary(PRIMARY.RDTSC_EXITING)] },
  VMCALL: { number: 18, operands: ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'mode'] },
  VMCLEAR: { number: 19, instructions: ['vmclear'] },
  VMLAUNCH: { number: 20, instructions: ['vmlaunch'] },
  VMPTRLD: { number: 21, instructions: ['vmptrld'] },
  VMPTRST: { number: 22, instructions: ['vmptrst'] },
  VMREAD: { number: 23, instructions: ['vmread'] },
  VMRESUME: { number: 24, instructions: ['vmresume'] },
  VMWRITE: { number: 25, instructions: ['vmwrite'] },
  VMOFF: { number: 26, instructions: ['vmxoff'] },
  VMON: { number: 27, instructions: ['vmxon'] },
  CR_ACCESS: { number: 28, qualification: CR_ACCESS, operands: ['source'] },
  DR_ACCESS: {
    number: 29,
    controls: [primary(PRIMARY.MOV_DR_EXITING)],
    qualification: DR_ACCESS,
    operands: ['source'],
  },
  IO_INSTRUCTION: { number: 30, qualification: IO, operands: ['out', 'address', 'breakpoints'] },
  MSR_READ: { number: 31, operands: ['ecx', 'edx:eax'] },
  MSR_WRITE: { number: 32, operands: ['ecx', 'edx:eax'] },
  INVALID_STATE: { number: 33 },
  MSR_LOAD_FAIL: { number: 34 },
  MWAIT_INSTRUCTION: { number: 36, controls: [primary(PRIMARY.MWAIT_EXITING)] },
  MONITOR_TRAP_FLAG: { number: 37, controls: [primary(PRIMARY.MONITOR_TRAP_FLAG)] },
  MONITOR_INSTRUCTION: { number: 39, controls: [primary(PRIMARY.MONITOR_EXITING)] },
  PAUSE_INSTRUCTION: { number: 40, controls: [primary(PRIMARY.PAUSE_EXITING)] },
  MCE_DURING_VMENTRY: { number: 41 },
  TPR_BELOW_THRESHOLD: { number: 43, controls: [primary(PRIMARY.TPR_SHADOW)] },
  APIC_ACCESS: {
    number: 44,
    controls: [secondary(SECONDARY.VIRTUALIZE_APIC_ACCESSES)],
    qualification: { offset: bits(11, 0), access: bits(15, 12) },
    duringDelivery: true,
  },
  EOI_INDUCED: { number: 45, controls: [secondary(SECONDARY.VIRTUAL_INTERRUPT_DELIVERY)] },
  GDTR_IDTR: { number: 46, controls: [secondary(SECONDARY.DESCRIPTOR_TABLE_EXITING)] },
  LDTR_TR: { number: 47, controls: [secondary(SECONDARY.DESCRIPTOR_TABLE_EXITING)] },
  EPT_VIOLATION: {
    number: 48,
    controls: [secondary(SECONDARY.EPT)],
    qualification: EPT_VIOLATION,
    duringDelivery: true,
  },
  EPT_MISCONFIG: { number: 49, controls: [secondary(SECONDARY.EPT)], duringDelivery: true },
  INVEPT: { number: 50, instructions: ['invept'] },
  RDTSCP: { number: 51, controls: [primary(PRIMARY.RDTSC_EXITING)] },
  PREEMPTION_TIMER: { number: 52, controls: [pin(PIN.PREEMPTION_TIMER)], duringDelivery: true },
  INVVPID: { number: 53, instructions: ['invvpid'] },
  WBINVD: { number: 54, controls: [secondary(SECONDARY.WBINVD_EXITING)] },
  XSETBV: { number: 55, operands: ['ecx', 'edx:eax'] },
  APIC_WRITE: { number: 56, controls: [secondary(SECONDARY.APIC_REGISTER_VIRTUALIZATION)] },
  RDRAND: { number: 57, controls: [secondary(SECONDARY.RDRAND_EXITING)] },
  INVPCID: { number: 58, controls: [primary(PRIMARY.INVLPG_EXITING)] },
  VMFUNC: { number: 59, instructions: ['vmfunc'], controls: [secondary(SECONDARY.VM_FUNCTIONS)] },
  ENCLS: { number: 60, instructions: ['encls'], controls: [secondary(SECONDARY.ENCLS_EXITING)] },
  RDSEED: { number: 61, controls: [secondary(SECONDARY.RDSEED_EXITING)] },
  PML_FULL: { number: 62, controls: [secondary(SECONDARY.PML)], duringDelivery: true },
  XSAVES: { number: 63, controls: [secondary(SECONDARY.XSAVES)] },
  XRSTORS: { number: 64, controls: [secondary(SECONDARY.XSAVES)] },
  UMWAIT: { number: 67, controls: [primary(PRIMARY.RDTSC_EXITING)] },
  TPAUSE: { number: 68, controls: [primary(PRIMARY.RDTSC_EXITING)] },
  BUS_LOCK: { number: 74, controls: [secondary(SECONDARY.BUS_LOCK_DETECTION)] },
  NOTIFY: { number: 75, controls: [secondary(SECONDARY.NOTIFY_EXITING)], duringDelivery: true },
} as const satisfies Readonly<Record<string, ExitReason>>;

/** A reason's name. */
export type ExitName = keyof typeof EXIT_REASONS;

const ROWS = Object.entries(EXIT_REASONS) as [ExitName, ExitReason][];

/** Basic exit reason by name. */
export const EXIT = Object.fromEntries(ROWS.map(([name, { number }]) => [name, number])) as {
  readonly [N in ExitName]: (typeof EXIT_REASONS)[N]['number'];
};

/** Name by basic exit reason. */
export const EXIT_NAMES: Readonly<Record<number, ExitName>> = Object.fromEntries(
  ROWS.map(([name, { number }]) => [number, name]),
);

/** Something of each reason, at its number. */
export function byNumber<T>(of: (row: [ExitName, ExitReason]) => T): readonly (T | undefined)[] {
  const found: (T | undefined)[] = [];
  for (const row of ROWS) found[row[1].number] = of(row);
  // Without holes an element that is missing is read as fast as one that is there.
  return Array.from(found);
}

type Rows = typeof EXIT_REASONS;
type Place = 'a0' | 'a1' | 'a2' | 'a3' | 'a4' | 'a5';
type OperandsOf<N extends ExitName> = Rows[N] extends { readonly operands: readonly (infer O extends string)[] }
  ? { readonly [K in O]: Place }
  : Readonly<Record<never, Place>>;

/** Which member of a `GuestStop` holds an operand: `stop[OPERANDS.MSR_READ.ecx]`. */
export const OPERANDS = Object.fromEntries(
  ROWS.map(([name, { operands = [] }]) => [name, Object.fromEntries(operands.map((each, at) => [each, `a${at}`]))]),
) as { readonly [N in ExitName]: OperandsOf<N> };

type QualificationOf<N extends ExitName> = Rows[N] extends { readonly qualification: infer Q } ? Q : undefined;

/** The fields of a reason's qualification by name: `field(qualification, QUALIFICATION.CR_ACCESS.cr)`. */
export const QUALIFICATION = Object.fromEntries(ROWS.map(([name, { qualification }]) => [name, qualification])) as {
  readonly [N in ExitName]: QualificationOf<N>;
};

/** A field of a qualification, of its low 32 bits. */
export const field = (qualification: number, { at, mask }: QualificationField): number => (qualification >>> at) & mask;
