/**
 * The local APIC's core: modes, priorities, what it accepts and what it offers the processor.
 * SDM Vol. 3, chapter 11; where KVM is simpler (no remote read), KVM is followed. It has no errors, which are the
 * manual's here.
 */
import type { KvmContext } from '../context.ts';
import { injectNmi } from '../vcpu/nmi.ts';
import type { LapicState } from './state.ts';
import { highestVector, testVector } from './vectors.ts';

/** IA32_APIC_BASE bits. SDM Vol. 3, 11.4.4. */
export const APIC_BASE_BSP = 0x100;
export const APIC_BASE_EXTD = 0x400;
export const APIC_BASE_ENABLE = 0x800;

export const LVT_TIMER = 0;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
const LVT_ERROR = 5;
export const LVT_MASKED = 0x10000;
const LVT_LEVEL = 0x8000;

/** Delivery modes as they stand in ICR and LVT bits 10:8. SDM Vol. 3, 11.6.1. */
export const DELIVER_FIXED = 0x000;
export const DELIVER_LOWEST = 0x100;
export const DELIVER_REMOTE_READ = 0x300;
export const DELIVER_NMI = 0x400;
export const DELIVER_INIT = 0x500;
export const DELIVER_STARTUP = 0x600;
export const DELIVER_EXTINT = 0x700;

/** Vectors the processor keeps to itself: no interrupt may have one. */
const FIRST_LEGAL_VECTOR = 16;

/** Bits of the error status register. SDM Vol. 3, 11.5.3. */
export const ESR_SEND_ILLEGAL_VECTOR = 0x20;
const ESR_RECEIVE_ILLEGAL_VECTOR = 0x40;
export const ESR_ILLEGAL_REGISTER = 0x80;

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
  return !isPresent(l) || (l.lvt[LVT_LINT0]! & (LVT_MASKED | 0x700)) === DELIVER_EXTINT;
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

/** An interrupt message this APIC is the destination of. */
export interface AcceptedMessage {
  readonly deliveryMode: number;
  readonly vector: number;
  /** Asserted (INIT level de-assert: false). */
  readonly level: boolean;
  /** As the sender encodes it: 0 edge, else level. */
  readonly trigMode: number;
}

/** A vector in a message whose mode uses it. */
export const isIllegalVector = (deliveryMode: number, vector: number): boolean =>
  (deliveryMode === DELIVER_FIXED || deliveryMode === DELIVER_LOWEST) && vector < FIRST_LEGAL_VECTOR;

/** An error is logged for the next write of ESR. The first since the last one interrupts. SDM Vol. 3, 11.5.3. */
export function logError(kvm: KvmContext, l: LapicState, error: number): void {
  const isArmed = l.errors === 0;
  const seq = kvm.raise({ kind: 'sim:apic_error', vcpu_id: l.vcpu, error });
  if (isArmed) deliverLocal(kvm.after(seq), l, LVT_ERROR);
}

/** Whether a message has an effect. SDM Vol. 3, 11.8.4. */
function accepts(l: LapicState, { deliveryMode, vector, level, trigMode }: AcceptedMessage): boolean {
  if (isIllegalVector(deliveryMode, vector)) return false;
  switch (deliveryMode) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
      return (trigMode === 0 || level) && isEnabled(l);
    case DELIVER_INIT:
      return trigMode === 0 || level;
    case DELIVER_REMOTE_READ:
    case DELIVER_NMI:
    case DELIVER_STARTUP:
      return true;
    default:
      return false;
  }
}

/** Accept a message; `rtc`: its EOI is waited for on behalf of the RTC. Returns 1 when it had an effect, else 0. */
export function acceptIrq(kvm: KvmContext, l: LapicState, m: AcceptedMessage, rtc = false): number {
  const accepted = accepts(l, m);
  const { deliveryMode, trigMode, vector } = m;
  const fact = { apicid: l.vcpu, dm: deliveryMode, tm: trigMode, vec: vector, accepted, rtc: rtc && accepted };
  const seq = kvm.raise({ kind: 'kvm_apic_accept_irq', ...fact });
  if (isIllegalVector(deliveryMode, vector) && isEnabled(l)) logError(kvm.after(seq), l, ESR_RECEIVE_ILLEGAL_VECTOR);
  if (accepted && deliveryMode === DELIVER_NMI) injectNmi(kvm.after(seq), kvm.state.vcpus[l.vcpu]!);
  return accepted ? 1 : 0;
}

/** A local interrupt source fires through its LVT entry. SDM Vol. 3, 11.5.1. */
export function deliverLocal(kvm: KvmContext, l: LapicState, entry: number): void {
  const lvt = l.lvt[entry]!;
  if (!isPresent(l) || (lvt & LVT_MASKED) !== 0) return;
  acceptIrq(kvm, l, { deliveryMode: lvt & 0x700, vector: lvt & 0xff, level: true, trigMode: lvt & LVT_LEVEL });
}

/** Whether a vector waits for its EOI or for being taken. */
export function awaitsEoi(l: LapicState, vector: number): boolean {
  return testVector(l.isr, vector) || testVector(l.irr, vector);
}
