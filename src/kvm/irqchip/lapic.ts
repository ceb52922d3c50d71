/**
 * The local APIC's core: modes, priorities, what it accepts and what it offers the processor.
 * SDM Vol. 3, chapter 11; where KVM is simpler (no ESR, no remote read), KVM is followed.
 */
import type { IrqEffects } from './effects.ts';
import type { LapicState, RtcStatus } from './state.ts';
import { clearVector, highestVector, setVector, testVector } from './vectors.ts';

/** IA32_APIC_BASE bits. SDM Vol. 3, 11.4.4. */
export const APIC_BASE_BSP = 0x100;
export const APIC_BASE_EXTD = 0x400;
export const APIC_BASE_ENABLE = 0x800;

export const LVT_TIMER = 0;
export const LVT_PERFORMANCE = 2;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_MASKED = 0x10000;
const LVT_LEVEL = 0x8000;

/** Delivery modes as they stand in ICR and LVT bits 10:8. SDM Vol. 3, 11.6.1. */
export const DELIVER_FIXED = 0x000;
export const DELIVER_LOWEST = 0x100;
export const DELIVER_SMI = 0x200;
export const DELIVER_REMOTE_READ = 0x300;
export const DELIVER_NMI = 0x400;
export const DELIVER_INIT = 0x500;
export const DELIVER_STARTUP = 0x600;
export const DELIVER_EXTINT = 0x700;

const SVR_ENABLE = 0x100;

/** IA32_APIC_BASE.EN: the APIC answers at all. */
export const isPresent = (l: LapicState): boolean => (l.apicBase & APIC_BASE_ENABLE) !== 0;

/** x2APIC mode. */
export const isX2apic = (l: LapicState): boolean => (l.apicBase & APIC_BASE_EXTD) !== 0;

/** SVR bit 8. */
export const isSoftwareEnabled = (l: LapicState): boolean => (l.svr & SVR_ENABLE) !== 0;

/** Both switches on. */
export const isEnabled = (l: LapicState): boolean => isPresent(l) && isSoftwareEnabled(l);

/** The PIC's INTR reaches this vCPU: through LVT0 as ExtINT, or directly when the APIC is disabled. */
export function acceptsPic(l: LapicState): boolean {
  return !isPresent(l) || (l.lvt[LVT_LINT0] & (LVT_MASKED | 0x700)) === DELIVER_EXTINT;
}

/** Processor priority: the greater of task priority and the class in service. SDM Vol. 3, 11.8.3.1. */
export function processorPriority(l: LapicState): number {
  const serving = highestVector(l.isr);
  const servingClass = serving < 0 ? 0 : serving & 0xf0;
  return (l.tpr & 0xf0) >= servingClass ? l.tpr & 0xff : servingClass;
}

/** The highest requested vector the processor priority lets through, or -1. */
export function deliverableVector(l: LapicState): number {
  if (!isPresent(l)) return -1;
  const vector = highestVector(l.irr);
  return vector < 0 || (vector & 0xf0) <= processorPriority(l) ? -1 : vector;
}

/** INTA: move a vector from IRR to ISR. */
export function takeIntoService(l: LapicState, vector: number): void {
  clearVector(l.irr, vector);
  setVector(l.isr, vector);
  l.isrCache = vector;
}

/** Set the task priority register; a lower one may let a waiting interrupt through. */
export function setTaskPriority(l: LapicState, tpr: number, fx: IrqEffects): void {
  const lowered = tpr < l.tpr;
  l.tpr = tpr & 0xff;
  if (lowered && deliverableVector(l) >= 0) fx.kick(l.vcpu);
}

function request(l: LapicState, vector: number, level: boolean, fx: IrqEffects): void {
  if (level) setVector(l.tmr, vector);
  else clearVector(l.tmr, vector);
  setVector(l.irr, vector);
  fx.kick(l.vcpu);
}

/** An interrupt message this APIC is the destination of. */
export interface AcceptedMessage {
  deliveryMode: number;
  vector: number;
  /** Asserted (INIT level de-assert: false). */
  level: boolean;
  /** As the sender encodes it: 0 edge, else level. */
  trigMode: number;
}

/** Accept a message. Returns 1 when it had an effect, else 0. SDM Vol. 3, 11.8.4. */
export function acceptIrq(l: LapicState, m: AcceptedMessage, fx: IrqEffects, rtc?: RtcStatus): number {
  const { vector, trigMode } = m;
  fx.raise({ kind: 'kvm_apic_accept_irq', apicid: l.vcpu, dm: m.deliveryMode, tm: trigMode, vec: vector });
  switch (m.deliveryMode) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
      if ((trigMode !== 0 && !m.level) || !isEnabled(l)) return 0;
      if (rtc !== undefined) {
        rtc.vcpus |= 1 << l.vcpu;
        rtc.vectors[l.vcpu] = vector;
      }
      request(l, vector, trigMode !== 0, fx);
      return 1;
    case DELIVER_REMOTE_READ:
      fx.unhalt(l.vcpu);
      return 1;
    case DELIVER_NMI:
      fx.nmi(l.vcpu);
      return 1;
    case DELIVER_INIT:
      if (trigMode !== 0 && !m.level) return 0;
      fx.init(l.vcpu);
      return 1;
    case DELIVER_STARTUP:
      fx.sipi(l.vcpu, vector);
      return 1;
    default:
      return 0;
  }
}

/** A local interrupt source fires through its LVT entry. SDM Vol. 3, 11.5.1. */
export function deliverLocal(l: LapicState, entry: number, fx: IrqEffects): number {
  const lvt = l.lvt[entry];
  if (!isPresent(l) || (lvt & LVT_MASKED) !== 0) return 0;
  const message = { deliveryMode: lvt & 0x700, vector: lvt & 0xff, level: true, trigMode: lvt & LVT_LEVEL };
  const accepted = acceptIrq(l, message, fx);
  if (accepted !== 0 && entry === LVT_PERFORMANCE) l.lvt[entry] = lvt | LVT_MASKED;
  return accepted;
}

/** Whether a vector waits for its EOI or for being taken. */
export function awaitsEoi(l: LapicState, vector: number): boolean {
  return testVector(l.isr, vector) || testVector(l.irr, vector);
}
