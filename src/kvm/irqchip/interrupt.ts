/** What the controllers offer a vCPU at VM entry, and the two times: deadline and expiry. */
import { expirePit, pitDeadline } from '../pit.ts';
import type { IrqEffects } from './effects.ts';
import { expireIoapic } from './ioapic.ts';
import {
  acceptsPic,
  DELIVER_NMI,
  deliverableVector,
  deliverLocal,
  LVT_LINT0,
  LVT_LINT1,
  setTaskPriority,
  takeIntoService,
} from './lapic.ts';
import { expireLapicTimer } from './lapic-timer.ts';
import { acknowledgePic, peekPic } from './pic.ts';
import { setIrqLine } from './routing.ts';
import type { IrqchipState } from './state.ts';
import { PIT_SOURCE } from './state.ts';
import { highestVector, testVector } from './vectors.ts';

/** The vector the vCPU would be interrupted with now, or -1. A PIC interrupt comes before the LAPIC's. */
export function pendingInterrupt(chip: IrqchipState, vcpu: number): number {
  const l = chip.lapics[vcpu];
  if (chip.pic.output && acceptsPic(l)) return peekPic(chip.pic);
  return deliverableVector(l);
}

/** Take the pending interrupt: INTA for the PIC, IRR to ISR for the LAPIC. Returns its vector, or -1. */
export function acknowledgeInterrupt(chip: IrqchipState, vcpu: number, fx: IrqEffects): number {
  const l = chip.lapics[vcpu];
  if (chip.pic.output && acceptsPic(l)) return acknowledgePic(chip, fx);
  const vector = deliverableVector(l);
  if (vector >= 0) takeIntoService(l, vector);
  return vector;
}

/** CR8: the task priority class, 0..15. */
export function taskPriority(chip: IrqchipState, vcpu: number): number {
  return chip.lapics[vcpu].tpr >> 4;
}

/** MOV to CR8. */
export function writeTaskPriority(chip: IrqchipState, vcpu: number, cr8: number, fx: IrqEffects): void {
  setTaskPriority(chip.lapics[vcpu], (cr8 & 0xf) << 4, fx);
}

/**
 * TPR threshold for the VMCS: the class of the highest request when only the task priority keeps it
 * back, so that lowering CR8 exits; 0 when there is none (KVM's update_cr8_intercept).
 */
export function tprThreshold(chip: IrqchipState, vcpu: number): number {
  const l = chip.lapics[vcpu];
  const request = highestVector(l.irr);
  if (request < 0) return 0;
  return request >> 4 > l.tpr >> 4 ? 0 : request >> 4;
}

/** The vector whose EOI may be left to the PV EOI word: the one in service, with nothing else waiting; or -1. */
export function pvEoiCandidate(chip: IrqchipState, vcpu: number): number {
  const l = chip.lapics[vcpu];
  if (l.isrCache < 0 || highestVector(l.irr) >= 0 || testVector(l.ioapicHandled, l.isrCache)) return -1;
  return l.isrCache;
}

/** A pulse on LINT1 (the platform's NMI pin): delivered as the LVT entry says. */
export function pulseLint1(chip: IrqchipState, vcpu: number, fx: IrqEffects): void {
  deliverLocal(chip.lapics[vcpu], LVT_LINT1, fx);
}

/** Earliest virtual nanosecond at which `expireIrqchip` must be called. */
export function irqchipDeadline(chip: IrqchipState): number | undefined {
  let earliest = chip.pit === undefined ? undefined : pitDeadline(chip.pit);
  const { eoiInjectAt } = chip.ioapic;
  if (eoiInjectAt !== undefined && (earliest === undefined || eoiInjectAt < earliest)) earliest = eoiInjectAt;
  for (const l of chip.lapics) {
    const at = l.timer.expiresAt;
    if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at;
  }
  return earliest;
}

/** IRQ 0 pulses; an LVT0 in NMI mode makes the same tick an NMI (KVM's NMI watchdog). */
function pulsePit(chip: IrqchipState, fx: IrqEffects): void {
  setIrqLine(chip, 0, PIT_SOURCE, true, fx);
  setIrqLine(chip, 0, PIT_SOURCE, false, fx);
  for (const l of chip.lapics) {
    if ((l.lvt[LVT_LINT0] & 0x700) === DELIVER_NMI) deliverLocal(l, LVT_LINT0, fx);
  }
}

/** Expire every timer due at or before now. */
export function expireIrqchip(chip: IrqchipState, fx: IrqEffects): void {
  if (chip.pit !== undefined && expirePit(chip.pit, fx.now())) pulsePit(chip, fx);
  expireIoapic(chip, fx);
  for (const l of chip.lapics) expireLapicTimer(l, fx);
}
