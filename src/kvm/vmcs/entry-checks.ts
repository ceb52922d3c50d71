/**
 * VM-entry checks in the SDM's order: controls, host state, guest state. SDM Vol. 3, 27.2 and 27.3.
 * They run when software changed something they look at, which hardware checks at every entry.
 */
import type { KvmContext } from '../context.ts';
import type { Segment } from '../../x86/guest.ts';
import type { VcpuState } from '../state.ts';
import { checkHostState, HOST_STATE } from './host-state.ts';
import { ALWAYS_ONE, EPTP, EXIT_REASON, SECONDARY, VM_ENTRY, VM_INSTRUCTION_ERROR } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import type { VmcsControls } from './controls.ts';

/** What a failed check leads to. */
export type EntryFailure =
  | { readonly kind: 'fail'; readonly error: 7 | 8; readonly what: string }
  | { readonly kind: 'exit'; readonly reason: number; readonly what: string };

const INVALID_GUEST_STATE = EXIT_REASON.ENTRY_FAILED + EXIT.INVALID_STATE;
const { INVALID_CONTROLS, INVALID_HOST_STATE } = VM_INSTRUCTION_ERROR;
const CR0_PE = 1n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 0x20n;
const CR4_PCIDE = 1n << 17n;
const CR4_VMXE = 0x2000n;
const EFER_LME = 0x100n;
const EFER_LMA = 0x400n;
const VM = 0x20000n;

/** Undefined when the entry may go ahead. */
export function checkEntry(kvm: KvmContext, vcpu: VcpuState): EntryFailure | undefined {
  const controls = checkControls(vcpu.vmcs);
  if (controls !== undefined) return { kind: 'fail', error: INVALID_CONTROLS, what: controls };
  const host = checkHostState(HOST_STATE);
  if (host !== undefined) return { kind: 'fail', error: INVALID_HOST_STATE, what: host };
  const guest = checkGuest(kvm, vcpu);
  return guest === undefined ? undefined : { kind: 'exit', reason: INVALID_GUEST_STATE, what: guest };
}

/** 27.2.1: reserved bits, and controls that need others. */
function checkControls(c: VmcsControls): string | undefined {
  if ((c.pin & ALWAYS_ONE.PIN) !== ALWAYS_ONE.PIN) return 'pin-based reserved bits';
  if ((c.primary & ALWAYS_ONE.PRIMARY) !== ALWAYS_ONE.PRIMARY) return 'processor-based reserved bits';
  if ((c.secondary & SECONDARY.UNRESTRICTED_GUEST) !== 0 && (c.secondary & SECONDARY.EPT) === 0) {
    return 'unrestricted guest without EPT';
  }
  if (c.vpid === 0) return 'VPID 0';
  const type = Number(c.eptPointer & BigInt(EPTP.MEMORY_TYPE));
  const length = Number(c.eptPointer & BigInt(EPTP.WALK_LENGTH));
  if (type !== EPTP.WRITE_BACK || length !== EPTP.FOUR_LEVELS) return 'EPT pointer';
  return c.tprThreshold > 15 ? 'TPR threshold' : undefined;
}

/** 27.3.1: control registers and EFER, RFLAGS, segments, tables. */
function checkGuest(kvm: KvmContext, vcpu: VcpuState): string | undefined {
  const r = kvm.guest.registers(vcpu.index);
  const { cr0, cr4, efer } = r;
  const ia32e = (vcpu.vmcs.entry & VM_ENTRY.IA32E_MODE_GUEST) !== 0;
  if ((cr0 & CR0_PG) !== 0n && (cr0 & CR0_PE) === 0n) return 'CR0: PG without PE';
  if ((cr4 & CR4_VMXE) === 0n) return 'CR4: VMXE clear';
  if (ia32e && ((cr0 & CR0_PG) === 0n || (cr4 & CR4_PAE) === 0n)) return 'IA-32e mode without paging or PAE';
  if (!ia32e && (cr4 & CR4_PCIDE) !== 0n) return 'CR4: PCIDE outside IA-32e mode';
  if (((efer & EFER_LMA) !== 0n) !== ia32e) return 'EFER: LMA is not the entry control';
  if ((cr0 & CR0_PG) !== 0n && ((efer & EFER_LMA) !== 0n) !== ((efer & EFER_LME) !== 0n)) return 'EFER: LMA is not LME';
  if ((r.rflags & 2n) === 0n || (r.rflags & ~0x3f7fd7n) !== 0n) return 'RFLAGS reserved bits';
  if ((r.rflags & VM) !== 0n && (ia32e || (cr0 & CR0_PE) === 0n)) return 'RFLAGS: VM';
  if (!isBusyTss(r.segment(7), ia32e)) return 'TR';
  if ((r.gdtr.limit | r.idtr.limit) > 0xffff) return 'descriptor table limit';
  return undefined;
}

/** TR: usable, busy TSS (in IA-32e mode the 64-bit one). 27.3.1.2. */
function isBusyTss(tr: Segment, ia32e: boolean): boolean {
  const type = tr.access & 0xf;
  return (type === 11 || (type === 3 && !ia32e)) && (tr.access & 0x90) === 0x80 && (tr.access & 0x10000) === 0;
}
