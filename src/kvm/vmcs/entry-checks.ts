/**
 * VM-entry checks in the SDM's order, one row each: controls, host state, guest state. SDM Vol. 3, 27.2 and 27.3. They
 * judge any VMCS by the view of it they are given.
 */
import { ALWAYS_ONE, EPTP, EXIT_REASON, SECONDARY, VM_ENTRY, VM_INSTRUCTION_ERROR } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { ACCESS, CR0, CR4, EFER, RFLAGS } from '../../x86/registers.ts';
import type { VmcsView } from './view.ts';

/** What a failed check leads to. */
export type EntryFailure =
  | { readonly kind: 'fail'; readonly error: 7 | 8; readonly what: string }
  | { readonly kind: 'exit'; readonly reason: number; readonly what: string };

interface EntryCheck {
  readonly what: string;
  readonly fails: (view: VmcsView) => boolean;
}

const INVALID_GUEST_STATE = EXIT_REASON.ENTRY_FAILED + EXIT.INVALID_STATE;
const { INVALID_CONTROLS, INVALID_HOST_STATE } = VM_INSTRUCTION_ERROR;

const all = (value: bigint, bits: number): boolean => (value & BigInt(bits >>> 0)) === BigInt(bits >>> 0);
const any = (value: bigint, bits: number): boolean => (value & BigInt(bits)) !== 0n;
const isCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;

/** 27.2.1: reserved bits, and controls that need others. */
const CONTROLS: readonly EntryCheck[] = [
  { what: 'pin-based reserved bits', fails: (v) => !all(v('PIN_BASED_VM_EXEC_CONTROL'), ALWAYS_ONE.PIN) },
  { what: 'processor-based reserved bits', fails: (v) => !all(v('CPU_BASED_VM_EXEC_CONTROL'), ALWAYS_ONE.PRIMARY) },
  {
    what: 'unrestricted guest without EPT',
    fails: (v) => {
      const secondary = v('SECONDARY_VM_EXEC_CONTROL');
      return any(secondary, SECONDARY.UNRESTRICTED_GUEST) && !any(secondary, SECONDARY.EPT);
    },
  },
  { what: 'VPID 0', fails: (v) => v('VIRTUAL_PROCESSOR_ID') === 0n },
  {
    what: 'EPT pointer',
    fails: (v) => {
      const format = v('EPT_POINTER') & BigInt(EPTP.MEMORY_TYPE | EPTP.WALK_LENGTH);
      return format !== BigInt(EPTP.WRITE_BACK | EPTP.FOUR_LEVELS);
    },
  },
  { what: 'TPR threshold', fails: (v) => v('TPR_THRESHOLD') > 15n },
];

/** RPL and TI of a selector. */
const RPL_AND_TI = 7;
const HOST_SELECTORS = [
  ...(['HOST_CS_SELECTOR', 'HOST_SS_SELECTOR', 'HOST_DS_SELECTOR', 'HOST_ES_SELECTOR'] as const),
  ...(['HOST_FS_SELECTOR', 'HOST_GS_SELECTOR', 'HOST_TR_SELECTOR'] as const),
] as const;
const HOST_ADDRESSES = [
  ...(['HOST_FS_BASE', 'HOST_GS_BASE', 'HOST_TR_BASE'] as const),
  ...(['HOST_GDTR_BASE', 'HOST_IDTR_BASE', 'HOST_RIP'] as const),
] as const;

/** 27.2.2 to 27.2.4, of a 64-bit host. */
const HOST: readonly EntryCheck[] = [
  { what: 'host CR0', fails: (v) => !all(v('HOST_CR0'), CR0.PG | CR0.NE | CR0.PE) },
  { what: 'host CR4', fails: (v) => !all(v('HOST_CR4'), CR4.VMXE | CR4.PAE) },
  { what: 'host EFER', fails: (v) => !all(v('HOST_IA32_EFER'), EFER.LMA | EFER.LME) },
  { what: 'host selector: RPL or TI', fails: (v) => HOST_SELECTORS.some((name) => any(v(name), RPL_AND_TI)) },
  { what: 'host CS or TR is null', fails: (v) => v('HOST_CS_SELECTOR') === 0n || v('HOST_TR_SELECTOR') === 0n },
  { what: 'host address is not canonical', fails: (v) => !HOST_ADDRESSES.every((name) => isCanonical(v(name))) },
];

const isIa32e = (v: VmcsView): boolean => any(v('VM_ENTRY_CONTROLS'), VM_ENTRY.IA32E_MODE_GUEST);
const paging = (v: VmcsView): boolean => any(v('GUEST_CR0'), CR0.PG);
const longModeActive = (v: VmcsView): boolean => any(v('GUEST_IA32_EFER'), EFER.LMA);
/** Bits of RFLAGS there are. */
const RFLAGS_KNOWN = 0x3f7fd7n;
const TABLE_LIMIT = 0xffffn;

/** 27.3.1: control registers and EFER, RFLAGS, segments, tables. */
const GUEST: readonly EntryCheck[] = [
  { what: 'CR0: PG without PE', fails: (v) => paging(v) && !any(v('GUEST_CR0'), CR0.PE) },
  { what: 'CR4: VMXE clear', fails: (v) => !any(v('GUEST_CR4'), CR4.VMXE) },
  {
    what: 'IA-32e mode without paging or PAE',
    fails: (v) => isIa32e(v) && !(paging(v) && any(v('GUEST_CR4'), CR4.PAE)),
  },
  { what: 'CR4: PCIDE outside IA-32e mode', fails: (v) => !isIa32e(v) && any(v('GUEST_CR4'), CR4.PCIDE) },
  { what: 'EFER: LMA is not the entry control', fails: (v) => longModeActive(v) !== isIa32e(v) },
  {
    what: 'EFER: LMA is not LME',
    fails: (v) => paging(v) && longModeActive(v) !== any(v('GUEST_IA32_EFER'), EFER.LME),
  },
  {
    what: 'RFLAGS reserved bits',
    fails: (v) => !any(v('GUEST_RFLAGS'), RFLAGS.FIXED) || (v('GUEST_RFLAGS') & ~RFLAGS_KNOWN) !== 0n,
  },
  {
    what: 'RFLAGS: VM',
    fails: (v) => any(v('GUEST_RFLAGS'), RFLAGS.VM) && (isIa32e(v) || !any(v('GUEST_CR0'), CR0.PE)),
  },
  { what: 'TR', fails: (v) => !isBusyTss(Number(v('GUEST_TR_AR_BYTES')), isIa32e(v)) },
  {
    what: 'descriptor table limit',
    fails: (v) => v('GUEST_GDTR_LIMIT') > TABLE_LIMIT || v('GUEST_IDTR_LIMIT') > TABLE_LIMIT,
  },
];

const BUSY_TSS_16 = 3;
const BUSY_TSS = 11;

/** TR: usable, busy TSS (in IA-32e mode the 64-bit one). 27.3.1.2. */
function isBusyTss(access: number, ia32e: boolean): boolean {
  const type = access & ACCESS.TYPE;
  const isBusy = type === BUSY_TSS || (type === BUSY_TSS_16 && !ia32e);
  const kind = access & (ACCESS.PRESENT | ACCESS.CODE_OR_DATA);
  return isBusy && kind === ACCESS.PRESENT && (access & ACCESS.UNUSABLE) === 0;
}

/** Undefined when the entry may go ahead. */
export function checkEntry(view: VmcsView): EntryFailure | undefined {
  const failed = (checks: readonly EntryCheck[]): string | undefined => checks.find(({ fails }) => fails(view))?.what;
  const controls = failed(CONTROLS);
  if (controls !== undefined) return { kind: 'fail', error: INVALID_CONTROLS, what: controls };
  const host = failed(HOST);
  if (host !== undefined) return { kind: 'fail', error: INVALID_HOST_STATE, what: host };
  const guest = failed(GUEST);
  return guest === undefined ? undefined : { kind: 'exit', reason: INVALID_GUEST_STATE, what: guest };
}
