/** A vCPU with nothing to run: HLT, and waiting to be started. Linux kvm_vcpu_block, kvm_vcpu_has_events. */
import { markPreempted } from '../clock/steal-time.ts';
import { type KvmContext, REQ_STEAL_UPDATE, REQ_TRIPLE_FAULT, request } from '../context.ts';
import type { VcpuState } from '../state.ts';
import { acceptApicEvents, MP_HALTED, MP_RUNNABLE } from './create.ts';
import { interruptAllowed, nmiAllowed, waitingInterrupt } from './injection.ts';

/** kvm_arch_vcpu_runnable. */
export function isVcpuRunnable(kvm: KvmContext, vcpu: VcpuState): boolean {
  if (vcpu.mpState === MP_RUNNABLE || vcpu.inGuest) return true;
  const { events } = vcpu;
  if (events.initPending || (events.sipiPending && vcpu.mpState === 2)) return true;
  if (vcpu.mpState !== MP_HALTED) return false;
  return (
    events.unhalted ||
    events.exception.pending ||
    (vcpu.requests & REQ_TRIPLE_FAULT) !== 0 ||
    (events.nmi.pending > 0 && nmiAllowed(vcpu)) ||
    (interruptAllowed(vcpu) && waitingInterrupt(kvm, vcpu) >= 0)
  );
}

/** kvm_vcpu_halt begins: unless something is pending already, the vCPU's thread sleeps from now on. */
export function block(kvm: KvmContext, vcpu: VcpuState): void {
  if (vcpu.blockedAt >= 0 || isVcpuRunnable(kvm, vcpu)) return;
  vcpu.blockedAt = kvm.host.now();
  markPreempted(kvm, vcpu);
}

/** One look at a vCPU that does not run. True: it runs now. */
export function tryWake(kvm: KvmContext, vcpu: VcpuState): boolean {
  if (!isVcpuRunnable(kvm, vcpu)) {
    block(kvm, vcpu);
    return false;
  }
  if (vcpu.blockedAt >= 0) {
    const ns = kvm.host.now() - vcpu.blockedAt;
    kvm.host.raise({ kind: 'kvm_vcpu_wakeup', ns, waited: true, valid: true });
    vcpu.blockedAt = -1;
    vcpu.ranUntil = kvm.host.now();
    request(vcpu, REQ_STEAL_UPDATE);
  }
  acceptApicEvents(kvm, vcpu);
  if (vcpu.mpState === MP_HALTED) {
    vcpu.events.unhalted = false;
    vcpu.mpState = MP_RUNNABLE;
  }
  return vcpu.mpState === MP_RUNNABLE;
}
