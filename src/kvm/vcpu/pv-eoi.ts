/** Paravirtual end of interrupt: the guest clears a word in memory instead of exiting. Linux apic_sync_pv_eoi_*. */
import { type KvmContext, vmOf } from '../context.ts';
import { pvEoiCandidate, writeEoi } from '../irqchip/index.ts';
import { readGuest, writeGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';

const ENABLED = 1n;

/** Before an entry: offer the word when a plain EOI would do. */
export function offerPvEoi(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  const { pv } = vcpu;
  if ((pv.eoiMsr & ENABLED) === 0n || irqchip === undefined || pvEoiCandidate(irqchip, vcpu.index) < 0) return;
  if (pv.eoiPending) return;
  if (writeGuest(kvm, Number(pv.eoiMsr & ~3n), Uint8Array.of(1))) pv.eoiPending = true;
}

/** After an exit: take the offer back; if the guest used it, the interrupt has ended. */
export function takePvEoi(kvm: KvmContext, vcpu: VcpuState): void {
  const { pv } = vcpu;
  pv.eoiPending = false;
  const gpa = Number(pv.eoiMsr & ~3n);
  const word = readGuest(kvm, gpa, 1);
  const { irqchip } = vmOf(kvm);
  if (word === undefined || irqchip === undefined) return;
  if ((word[0] & 1) !== 0) {
    writeGuest(kvm, gpa, Uint8Array.of(word[0] & ~1));
    return;
  }
  const vector = writeEoi(irqchip, vcpu.index, kvm.irq);
  kvm.host.raise({ kind: 'kvm_pv_eoi', apicid: vcpu.id, vector });
}
