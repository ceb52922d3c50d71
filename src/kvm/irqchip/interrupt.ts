/** What the controllers offer a vCPU at VM entry, and when their timers expire. */
import { lapicOf, chipOf, type KvmContext } from '../context.ts';
import { expireIoapic } from './ioapic.ts';
import { acceptsPic, DELIVER_NMI, deliverableVector, deliverLocal, LVT_LINT0, LVT_LINT1 } from './lapic.ts';
import { expireLapicTimer } from './lapic-timer.ts';
import { acknowledgePic, peekPic } from './pic.ts';
import { expirePit } from './pit.ts';
import { setIrqLine } from './routing.ts';
import type { IrqchipState, LapicState } from './state.ts';
import { PIT_SOURCE } from './state.ts';
import { highestVector, testVector } from './vectors.ts';

/** The vector the vCPU would be interrupted with now, or -1. A PIC interrupt comes before the LAPIC's. */
export function pendingInterrupt(chip: IrqchipState, vcpu: number): number {
  const l = chip.lapics[vcpu]!;
  if (chip.pic.output && acceptsPic(l)) return peekPic(chip.pic);
  return deliverableVector(l);
}

/** Take the pending interrupt: INTA for the PIC, IRR to ISR for the LAPIC. Returns its vector, or -1. */
export function acknowledgeInterrupt(kvm: KvmContext, vcpu: number): number {
  const chip = chipOf(kvm);
  const l = chip.lapics[vcpu]!;
  if (chip.pic.output && acceptsPic(l)) return acknowledgePic(kvm, vcpu);
  const vector = deliverableVector(l);
  if (vector >= 0) kvm.raise({ kind: 'sim:intack', vcpu_id: vcpu, irqchip: LAPIC, vector });
  return vector;
}

/** KVM_IRQCHIP numbers go to 2; the local APICs come after. */
const LAPIC = 3;

/** CR8: the task priority class, 0..15. */
export const taskPriority = ({ tpr }: LapicState): number => tpr >> 4;

/** MOV to CR8, or user space's KVM_SET_SREGS. */
export function writeTaskPriority(kvm: KvmContext, vcpu: number, cr8: number): void {
  const tpr = (cr8 & 0xf) << 4;
  if (lapicOf(kvm, vcpu).tpr !== tpr) kvm.raise({ kind: 'sim:tpr', vcpu_id: vcpu, tpr });
}

/**
 * TPR threshold for the VMCS: the class of the highest request when only the task priority keeps it
 * back, so that lowering CR8 exits; 0 when there is none (KVM's update_cr8_intercept).
 */
export function tprThreshold(l: LapicState): number {
  const request = highestVector(l.irr);
  if (request < 0) return 0;
  return request >> 4 > l.tpr >> 4 ? 0 : request >> 4;
}

/** The vector whose EOI may be left to the PV EOI word: the one in service, with nothing else waiting; or -1. */
export function pvEoiCandidate(l: LapicState): number {
  if (l.isrCache < 0 || highestVector(l.irr) >= 0 || testVector(l.ioapicHandled, l.isrCache)) return -1;
  return l.isrCache;
}

/** A pulse on LINT1 (the platform's NMI pin): delivered as the LVT entry says. */
export function pulseLint1(kvm: KvmContext, vcpu: number): void {
  deliverLocal(kvm, lapicOf(kvm, vcpu), LVT_LINT1);
}

/** IRQ 0 pulses; an LVT0 in NMI mode makes the same tick an NMI (KVM's NMI watchdog). */
function pulsePit(kvm: KvmContext): void {
  setIrqLine(kvm, 0, PIT_SOURCE, true);
  setIrqLine(kvm, 0, PIT_SOURCE, false);
  for (const l of chipOf(kvm).lapics) {
    if ((l.lvt[LVT_LINT0]! & 0x700) === DELIVER_NMI) deliverLocal(kvm, l, LVT_LINT0);
  }
}

/** Expire every timer due at or before now. */
export function expireIrqchip(kvm: KvmContext): void {
  const pulse = chipOf(kvm).pit === undefined ? undefined : expirePit(kvm);
  if (pulse !== undefined) pulsePit(pulse);
  expireIoapic(kvm);
  for (const l of chipOf(kvm).lapics) expireLapicTimer(kvm, l.vcpu);
}
