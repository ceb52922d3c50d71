/** A vCPU with nothing to run: HLT, and waiting to be started. Linux kvm_vcpu_block, kvm_vcpu_has_events. */
import { markPreempted } from '../clock/steal-time.ts';
import { type KvmContext, REQ_TRIPLE_FAULT } from '../context.ts';
import { DELIVER_NMI, LVT_LINT0, LVT_MASKED } from '../irqchip/lapic.ts';
import type { IrqchipState } from '../irqchip/state.ts';
import type { VcpuState } from '../state.ts';
import { RFLAGS } from '../../x86/registers.ts';
import { acceptApicEvents, MP_HALTED, MP_INIT_RECEIVED, MP_RUNNABLE } from './start.ts';
import { interruptAllowed, nmiAllowed, waitingInterrupt } from './injection.ts';

/** kvm_arch_vcpu_runnable. */
export function isVcpuRunnable(kvm: KvmContext, vcpu: VcpuState): boolean {
  if (vcpu.mpState === MP_RUNNABLE || vcpu.inGuest) return true;
  const { events } = vcpu;
  if (events.initPending || (events.sipiPending && vcpu.mpState === MP_INIT_RECEIVED)) return true;
  if (vcpu.mpState !== MP_HALTED) return false;
  return (
    events.unhalted ||
    events.exception.pending ||
    (vcpu.requests & REQ_TRIPLE_FAULT) !== 0 ||
    (events.nmi.pending > 0 && nmiAllowed(kvm, vcpu)) ||
    (waitingInterrupt(kvm, vcpu) >= 0 && interruptAllowed(kvm, vcpu))
  );
}

/**
 * Whether a processor runs, or something within the machine could still wake it: an interrupt it takes, or an NMI that
 * an interrupt controller sends it.
 */
export function isWakeable(kvm: KvmContext, vcpu: VcpuState): boolean {
  if (isVcpuRunnable(kvm, vcpu)) return true;
  const takesInterrupts = (kvm.guest.position(vcpu.index).rflags & RFLAGS.IF) !== 0;
  return vcpu.mpState === MP_HALTED && (takesInterrupts || sendsNmis(kvm.state.vm?.irqchip));
}

/** LINT1 is not asked: nothing but a person's button is at it. */
const sendsNmis = (chip: IrqchipState | undefined): boolean =>
  chip !== undefined &&
  [...chip.ioapic.redirLow, ...chip.lapics.map(({ lvt }) => lvt[LVT_LINT0]!)].some(
    (low) => (low & (LVT_MASKED | 0x700)) === DELIVER_NMI,
  );

/** kvm_vcpu_halt begins: unless something is pending already, the vCPU's thread sleeps from now on. */
export function block(kvm: KvmContext, vcpu: VcpuState): void {
  if (vcpu.blockedAt >= 0 || isVcpuRunnable(kvm, vcpu)) return;
  kvm.raise({ kind: 'sim:vcpu_blocked', vcpu_id: vcpu.index, ns: kvm.now() });
  markPreempted(kvm, vcpu);
}

/** One look at a vCPU that does not run. True: it runs now. */
export function tryWake(kvm: KvmContext, vcpu: VcpuState): boolean {
  if (!isVcpuRunnable(kvm, vcpu)) {
    block(kvm, vcpu);
    return false;
  }
  if (vcpu.blockedAt >= 0) {
    const ns = kvm.now() - vcpu.blockedAt;
    kvm.raise({ kind: 'kvm_vcpu_wakeup', ns, waited: true, valid: true, vcpu_id: vcpu.index });
  }
  acceptApicEvents(kvm, vcpu);
  if (vcpu.mpState === MP_HALTED) kvm.raise({ kind: 'sim:mp_state', vcpu_id: vcpu.index, mp_state: MP_RUNNABLE });
  return vcpu.mpState === MP_RUNNABLE;
}
