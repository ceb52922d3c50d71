/** Paravirtual end of interrupt: the guest clears a word in memory instead of exiting. Linux apic_sync_pv_eoi_*. */
import { type KvmContext, vmOf } from '../context.ts';
import { pvEoiCandidate, writeEoi } from '../irqchip/index.ts';
import { readGuest, writeGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';

const ENABLED = 1n;

/** Before an entry: offer the word when a plain EOI would do. */
export function offerPvEoi(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  const { eoiMsr, eoiPending } = vcpu.pv;
  if ((eoiMsr & ENABLED) === 0n || irqchip === undefined || pvEoiCandidate(irqchip.lapics[vcpu.index]!) < 0) return;
  if (eoiPending || !writeGuest(kvm, Number(eoiMsr & ~3n), Uint8Array.of(1))) return;
  kvm.raise({ kind: 'sim:pv_eoi', vcpu_id: vcpu.index, offered: true });
}

/** After an exit: take the offer back; if the guest used it, the interrupt has ended. */
export function takePvEoi(kvm: KvmContext, vcpu: VcpuState): void {
  kvm.raise({ kind: 'sim:pv_eoi', vcpu_id: vcpu.index, offered: false });
  const gpa = Number(vcpu.pv.eoiMsr & ~3n);
  const word = readGuest(kvm, gpa, 1);
  if (word === undefined || vmOf(kvm).irqchip === undefined) return;
  if ((word[0]! & 1) !== 0) {
    writeGuest(kvm, gpa, Uint8Array.of(word[0]! & ~1));
    return;
  }
  const vector = writeEoi(kvm, vcpu.index);
  kvm.raise({ kind: 'kvm_pv_eoi', apicid: vcpu.id, vector });
}
