/** KVM_SET_GUEST_DEBUG: user space steps and stops the guest. Linux kvm_arch_vcpu_ioctl_set_guest_debug. */
import type { KvmContext } from '../context.ts';
import { EBUSY } from '../../base/errno.ts';
import { exitFor, type Handled, KVM_EXIT_DEBUG } from '../io/userspace.ts';
import type { GuestDebug } from '../ioctl/ioctls.ts';
import type { VcpuState } from '../state.ts';
import { BP, DB, queueException } from './exceptions.ts';
import { exceptionBits, loadedVmcs } from '../vmcs/controls.ts';
import { ACCESS, DR6_BS, DR6_ONES, DR7_ONE, EFER_LMA, RFLAGS, RFLAGS_TF, SEG } from '../../x86/registers.ts';

const ENABLE = 1;
export const DEBUG_SINGLESTEP = 2;
const USE_SW_BP = 0x10000;
const USE_HW_BP = 0x20000;
const INJECT_DB = 0x40000;
const INJECT_BP = 0x80000;

/** DR6: the bits that are set by hardware, and those that read as one. SDM Vol. 3, 18.2.3. */
const DR6_VOLATILE = 0xe00fn;
const DR7_KNOWN = 0xffff2bffn;

/** User space takes debug events of its own (rather than the guest's). */
export const debugsEvents = ({ guestDebug }: VcpuState): boolean =>
  (guestDebug.control & (DEBUG_SINGLESTEP | USE_HW_BP)) !== 0;

/** User space takes INT3. */
export const takesBreakpoints = ({ guestDebug }: VcpuState): boolean => (guestDebug.control & USE_SW_BP) !== 0;

/** User space has the debug registers to itself. */
export const ownsDebugRegisters = ({ guestDebug }: VcpuState): boolean => (guestDebug.control & USE_HW_BP) !== 0;

const steps = ({ guestDebug }: VcpuState): boolean => (guestDebug.control & DEBUG_SINGLESTEP) !== 0;

/** KVM_SET_GUEST_DEBUG. */
export function setGuestDebug(kvm: KvmContext, vcpu: VcpuState, debug: GuestDebug): number {
  if ((debug.control & (INJECT_DB | INJECT_BP)) !== 0) {
    if (vcpu.events.exception.pending) return -EBUSY;
    queueException(kvm, vcpu, { vector: (debug.control & INJECT_DB) !== 0 ? DB : BP });
  }
  const registers = kvm.guest.registers(vcpu.index);
  const rflags = readRflags(kvm, vcpu);
  const control = (debug.control & ENABLE) !== 0 ? debug.control : 0;
  const own = takeDebugRegisters(kvm, vcpu, (control & USE_HW_BP) !== 0 ? debug.debugreg : undefined);
  kvm.raise({
    kind: 'ioctl:KVM_SET_GUEST_DEBUG',
    vcpu_id: vcpu.index,
    control,
    debugreg: packWords(debug.debugreg),
    single_step_rip: linearRip(kvm, vcpu),
    own: packWords(own ?? []),
  });
  registers.rflags = steppingRflags(kvm, vcpu, rflags);
  exceptionBits(kvm, loadedVmcs(vcpu), 1 << BP, (control & USE_SW_BP) !== 0);
  return 0;
}

const packWords = (words: readonly bigint[]): Uint8Array => new Uint8Array(new BigUint64Array(words).buffer);

/**
 * kvm_update_dr7 and the switch of DR0-3: the processor holds user space's, and the guest's are kept aside. Returns the
 * guest's while it does.
 */
function takeDebugRegisters(
  kvm: KvmContext,
  vcpu: VcpuState,
  wanted: readonly bigint[] | undefined,
): readonly bigint[] | undefined {
  const registers = kvm.guest.registers(vcpu.index);
  const { own: before } = vcpu.guestDebug;
  const own = wanted === undefined ? undefined : (before ?? BREAKPOINTS.map((index) => registers.dr(index)));
  const values = wanted === undefined ? before : BREAKPOINTS.map((index) => wanted[index] ?? 0n);
  values?.forEach((value, at) => registers.setDr(BREAKPOINTS[at]!, value));
  return own;
}

/** DR0-3 and DR7, in the order `own` has them. */
const BREAKPOINTS = [0, 1, 2, 3, 7];
export const OWN_DR7 = 4;

/** A debug register as the guest sees it (kvm_get_dr). */
export function guestDr(kvm: KvmContext, vcpu: VcpuState, index: number): bigint {
  const { own } = vcpu.guestDebug;
  if (own === undefined || index === 6) return kvm.guest.registers(vcpu.index).dr(index);
  return index === 7 ? own[OWN_DR7]! : own[index]!;
}

/** Change a debug register of the guest, which the processor need not hold at the moment (kvm_set_dr). */
export function setGuestDr(kvm: KvmContext, vcpu: VcpuState, index: number, value: bigint): void {
  const { own } = vcpu.guestDebug;
  if (own === undefined || index === 6) kvm.guest.registers(vcpu.index).setDr(index, value);
  else kvm.raise({ kind: 'sim:guest_dr', vcpu_id: vcpu.index, dr: index, value });
}

/** MOV to DR6 or DR7 leaves the reserved bits as they are. False: #GP, bits 63:32 are set. */
export function moveToDr(kvm: KvmContext, vcpu: VcpuState, dr: number, value: bigint): boolean {
  const index = dr === 4 || dr === 5 ? dr + 2 : dr;
  if (index >= 6 && value >> 32n !== 0n) return false;
  if (index === 6) setGuestDr(kvm, vcpu, 6, (value & DR6_VOLATILE) | DR6_ONES);
  else if (index === 7) setGuestDr(kvm, vcpu, 7, (value & DR7_KNOWN) | DR7_ONE);
  else setGuestDr(kvm, vcpu, index, value);
  return true;
}

/** kvm_get_rflags: without the TF that steps for user space. */
export function readRflags(kvm: KvmContext, vcpu: VcpuState): bigint {
  const { rflags } = kvm.guest.registers(vcpu.index);
  return steps(vcpu) ? rflags & ~RFLAGS_TF : rflags;
}

/** kvm_set_rflags: with TF where user space steps from here. */
export function steppingRflags(kvm: KvmContext, vcpu: VcpuState, rflags: bigint): bigint {
  return steps(vcpu) && linearRip(kvm, vcpu) === vcpu.guestDebug.singleStepRip ? rflags | RFLAGS_TF : rflags;
}

/**
 * The traps after an instruction KVM performed, which belong to user space or to the guest. Linux
 * kvm_vcpu_do_singlestep knows the step alone; here the breakpoints the instruction met are told too.
 */
export function trapped(kvm: KvmContext, vcpu: VcpuState, rflags: number): Handled {
  const { breakpoints } = vcpu.exit;
  if (breakpoints === 0 && (rflags & RFLAGS.TF) === 0) return 'resume';
  const bits = BigInt(breakpoints) | ((rflags & RFLAGS.TF) === 0 ? 0n : DR6_BS);
  if (steps(vcpu) || (breakpoints !== 0 && ownsDebugRegisters(vcpu))) return exitDebug(kvm, vcpu, DB, bits);
  queueException(kvm, vcpu, { vector: DB, payload: bits });
  return 'resume';
}

/** KVM_EXIT_DEBUG. */
export function exitDebug(kvm: KvmContext, vcpu: VcpuState, exception: number, dr6: bigint): Handled {
  const dr7 = kvm.guest.registers(vcpu.index).dr(7);
  const pc = linearRip(kvm, vcpu);
  kvm.raise({ kind: 'sim:run_debug', vcpu_id: vcpu.index, exception, pc, dr6: dr6 | DR6_ONES, dr7 });
  return exitFor(KVM_EXIT_DEBUG);
}

/** kvm_get_linear_rip. */
function linearRip(kvm: KvmContext, vcpu: VcpuState): bigint {
  const registers = kvm.guest.registers(vcpu.index);
  const cs = registers.segment(SEG.CS);
  if ((loadedVmcs(vcpu).guestEfer & EFER_LMA) !== 0n && (cs.access & ACCESS.LONG) !== 0) return registers.rip;
  return BigInt.asUintN(32, cs.base + registers.rip);
}
