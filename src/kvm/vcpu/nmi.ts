import type { KvmContext } from '../context.ts';
import type { VcpuState } from '../state.ts';

/** Interruptibility: blocking by NMI. SDM Vol. 3, Table 25-3. */
const BLOCKED_BY_NMI = 8;

/** kvm_inject_nmi: at most two wait, one while another is handled. */
export function injectNmi(kvm: KvmContext, vcpu: VcpuState): void {
  const { nmi } = vcpu.events;
  const isBlocked = nmi.injected || (kvm.guest.position(vcpu.index).interruptibility & BLOCKED_BY_NMI) !== 0;
  const pending = Math.min(nmi.pending + 1, isBlocked ? 1 : 2);
  kvm.raise({ kind: 'sim:nmi_pending', vcpu_id: vcpu.index, pending });
}
