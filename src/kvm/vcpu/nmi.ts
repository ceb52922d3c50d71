import type { KvmContext } from '../context.ts';
import type { VcpuState } from '../state.ts';
import { BLOCKED_BY } from '../../x86/registers.ts';

/** kvm_inject_nmi: at most two wait, one while another is handled. */
export function injectNmi(kvm: KvmContext, vcpu: VcpuState): void {
  const { nmi } = vcpu.events;
  const isBlocked = nmi.injected || (kvm.guest.position(vcpu.index).interruptibility & BLOCKED_BY.NMI) !== 0;
  const pending = Math.min(nmi.pending + 1, isBlocked ? 1 : 2);
  kvm.raise({ kind: 'sim:nmi_pending', vcpu_id: vcpu.index, pending });
}
