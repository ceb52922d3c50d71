/** What facts do to the local APICs. */
import type { Draft } from '../../base/draft.ts';
import type { Ns, Seq } from '../../base/units.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { REQ_EVENT } from '../context.ts';
import { WORDS } from '../irqchip/blobs.ts';
import { x2apicLogicalId } from '../irqchip/delivery.ts';
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_BASE_EXTD,
  DELIVER_FIXED,
  DELIVER_INIT,
  DELIVER_LOWEST,
  DELIVER_REMOTE_READ,
  DELIVER_STARTUP,
  deliverableVector,
  isSoftwareEnabled,
  isX2apic,
  LVT_LINT0,
  LVT_MASKED,
  LVT_TIMER,
} from '../irqchip/lapic.ts';
import {
  APIC_DFR,
  APIC_DIVIDE,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_INITIAL_COUNT,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVT_ERROR,
  APIC_LVT_TIMER,
  APIC_SVR,
  APIC_TMR,
  APIC_TPR,
  ICR_BUSY,
} from '../irqchip/lapic-registers.ts';
import { divisorOf, isCounting, limitedPeriod, ONE_SHOT, timerModeMask, TSC_DEADLINE } from '../irqchip/lapic-timer.ts';
import type { LapicFeatures, LapicState } from '../irqchip/state.ts';
import { clearVector, setVector, testVector } from '../irqchip/vectors.ts';
import { newLapic } from '../new-state.ts';
import type { KvmState } from '../state.ts';
import { restoreRtcTracking, rtcAccepted, rtcEnded, scan } from './ioapic.ts';
import { makeRequest } from './requests.ts';

type Kvm = Draft<KvmState>;
type Lapic = Draft<LapicState>;

const DEFAULT_BASE = 0xfee00000;
const EXTINT_UNMASKED = 0x700;
const SVR_WRITABLE = 0x3ff;
const LVT_PLAIN = 0x110ff;
const LVT_MODE = 0x117ff;
const LVT_LINT = 0x1f7ff;
const LVT_WRITABLE = [LVT_PLAIN, LVT_MODE, LVT_MODE, LVT_LINT, LVT_LINT, LVT_PLAIN];
const LOW = 0xffff_ffffn;

const chipOf = (kvm: Kvm) => kvm.vm!.irqchip!;
const lapicOf = (kvm: Kvm, index: number): Lapic => chipOf(kvm).lapics[index]!;

/** A vector that passes the priority now wants an entry. */
function kick(kvm: Kvm, l: Lapic, cause: Seq): void {
  if (deliverableVector(l) >= 0) makeRequest(kvm.vcpus[l.vcpu]!, REQ_EVENT, cause);
}

/** kvm_apic_accept_irq. A vector that waits already keeps its first cause. NMIs come as sim:nmi_pending. */
export function accepted(kvm: Kvm, event: EventOf<'kvm_apic_accept_irq'>, { seq }: Stamped): void {
  if (!event.accepted) return;
  const { apicid, dm, tm, vec } = event;
  const { events } = kvm.vcpus[apicid]!;
  switch (dm) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
      if (event.rtc) rtcAccepted(chipOf(kvm).ioapic, apicid, vec);
      requestVector(kvm, apicid, vec, tm !== 0, seq);
      return;
    case DELIVER_REMOTE_READ:
      events.unhalted = true;
      return;
    case DELIVER_INIT:
      events.initPending = true;
      events.sipiPending = false;
      break;
    case DELIVER_STARTUP:
      events.sipiPending = true;
      events.sipiVector = vec;
      break;
    default:
      return;
  }
  events.startCause = seq;
  makeRequest(kvm.vcpus[apicid]!, REQ_EVENT, seq);
}

/** A vector waits in a LAPIC from now on. */
function requestVector(kvm: Kvm, index: number, vector: number, level: boolean, cause: Seq): void {
  const l = lapicOf(kvm, index);
  if (level) setVector(l.tmr, vector);
  else clearVector(l.tmr, vector);
  if (!testVector(l.irr, vector)) l.causes[vector] = cause;
  setVector(l.irr, vector);
  makeRequest(kvm.vcpus[index]!, REQ_EVENT, cause);
}

/** A vector no longer waits. Returns what had requested it. */
function dropVector(l: Lapic, vector: number): number {
  const cause = l.causes[vector] ?? NONE;
  clearVector(l.irr, vector);
  delete l.causes[vector];
  return cause;
}

/** sim:vector_set: a person requests a vector, or takes it away. SDM Vol. 3, 11.8.4. */
export function vectorSet(kvm: Kvm, event: EventOf<'sim:vector_set'>, { seq }: Stamped): void {
  const { vcpu_id: index, vector, pending } = event;
  const l = lapicOf(kvm, index);
  if (pending) requestVector(kvm, index, vector, testVector(l.tmr, vector), seq);
  else dropVector(l, vector);
  makeRequest(kvm.vcpus[index]!, REQ_EVENT, seq);
}

/** INTA: a vector goes from IRR to ISR. Returns what had requested it. */
export function takenIntoService(kvm: Kvm, index: number, vector: number): number {
  const l = lapicOf(kvm, index);
  setVector(l.isr, vector);
  l.isrCache = vector;
  return dropVector(l, vector);
}

/** kvm_eoi. */
export function ended(kvm: Kvm, { apicid, vector }: EventOf<'kvm_eoi'>, { seq }: Stamped): void {
  if (vector < 0) return;
  const { lapics, ioapic } = chipOf(kvm);
  const l = lapics[apicid]!;
  clearVector(l.isr, vector);
  l.isrCache = -1;
  if (testVector(l.ioapicHandled, vector)) rtcEnded(ioapic, apicid, vector);
  kick(kvm, l, seq);
}

function setTaskPriority(kvm: Kvm, l: Lapic, tpr: number, cause: Seq): void {
  const lowered = tpr < l.tpr;
  l.tpr = tpr;
  if (lowered) kick(kvm, l, cause);
}

/** sim:tpr. */
export function taskPrioritySet(kvm: Kvm, { vcpu_id: index, tpr }: EventOf<'sim:tpr'>, { seq }: Stamped): void {
  setTaskPriority(kvm, lapicOf(kvm, index), tpr, seq);
}

/** kvm_apic: a register of the vCPU that wrote it. What is refused changes nothing. */
export function registerWritten(kvm: Kvm, { rw, reg, val }: EventOf<'kvm_apic'>, index: number, seq: Seq): void {
  if (rw === 0) return;
  const chip = chipOf(kvm);
  const l = chip.lapics[index]!;
  const value = Number(val & LOW);
  if (reg >= APIC_LVT_TIMER && reg <= APIC_LVT_ERROR) {
    writeLvt(l, (reg - APIC_LVT_TIMER) >> 4, value);
    return;
  }
  switch (reg) {
    case APIC_TPR:
      setTaskPriority(kvm, l, value & 0xff, seq);
      return;
    case APIC_SVR: {
      const toggled = ((l.svr ^ value) & 0x100) !== 0;
      writeSpurious(l, value);
      if (toggled) scan(chip);
      return;
    }
    case APIC_ICR:
      l.icrLow = (value & ~ICR_BUSY) >>> 0;
      if (isX2apic(l)) l.icrHigh = Number(val >> 32n);
      return;
    case APIC_INITIAL_COUNT:
      writeInitialCount(l, value);
      return;
    case APIC_DIVIDE:
      writeDivide(l, value);
      return;
    case APIC_ESR:
      if (isX2apic(l) && value !== 0) return;
      l.esr = l.errors;
      l.errors = 0;
      return;
    default:
      if (!isX2apic(l) && writeXapicRegister(l, reg, value)) scan(chip);
  }
}

/** sim:apic_error. */
export function errorLogged(kvm: Kvm, { vcpu_id: index, error }: EventOf<'sim:apic_error'>): void {
  chipOf(kvm).lapics[index]!.errors |= error;
}

/** Registers that only xAPIC mode lets the guest write. True: who is addressed how may have changed. */
function writeXapicRegister(l: Lapic, reg: number, value: number): boolean {
  const high = (value & 0xff000000) >>> 0;
  switch (reg) {
    case APIC_ID:
      l.id = high;
      return true;
    case APIC_LDR:
      l.ldr = high;
      return true;
    case APIC_DFR:
      l.dfr = (value | 0x0fffffff) >>> 0;
      return true;
    case APIC_ICR2:
      l.icrHigh = high;
      return false;
    default:
      return false;
  }
}

function writeSpurious(l: Lapic, value: number): void {
  l.svr = value & SVR_WRITABLE;
  if (isSoftwareEnabled(l)) return;
  for (let i = 0; i < l.lvt.length; i++) l.lvt[i]! |= LVT_MASKED;
  updateTimerMode(l);
  l.timer.pending = false;
}

function writeLvt(l: Lapic, index: number, value: number): void {
  const masked = isSoftwareEnabled(l) ? value : value | LVT_MASKED;
  l.lvt[index] = masked & LVT_WRITABLE[index]!;
  if (index !== LVT_TIMER) return;
  l.lvt[index] |= masked & timerModeMask(l);
  updateTimerMode(l);
}

/** The LVT timer entry changed: only a move to or from TSC-deadline mode forgets the count. */
function updateTimerMode(l: Lapic): void {
  const t = l.timer;
  const mode = l.lvt[LVT_TIMER]! & timerModeMask(l);
  if (t.mode === mode) return;
  if ((t.mode === TSC_DEADLINE) !== (mode === TSC_DEADLINE)) {
    t.pending = false;
    l.initialCount = 0;
    t.period = 0;
    t.tscDeadline = 0n;
  }
  t.mode = mode;
  t.period = limitedPeriod(mode, t.period);
}

function writeInitialCount(l: Lapic, value: number): void {
  const t = l.timer;
  if (t.mode === TSC_DEADLINE) return;
  l.initialCount = value;
  t.pending = false;
  if (isCounting(t)) t.period = limitedPeriod(t.mode, value * t.divide);
}

function writeDivide(l: Lapic, value: number): void {
  const t = l.timer;
  const before = t.divide;
  l.divideConfig = value & 0xb;
  t.divide = divisorOf(l.divideConfig);
  if (t.divide !== before && t.period !== 0) t.period = limitedPeriod(t.mode, l.initialCount * t.divide);
}

/** IA32_TSC_DEADLINE. */
export function deadlineWritten(kvm: Kvm, index: number, value: bigint): void {
  const t = lapicOf(kvm, index).timer;
  t.tscDeadline = value;
  t.pending = false;
}

/** The timer was armed: a counting one reaches zero then. */
export function timerArmed(kvm: Kvm, index: number, deadline: Ns): void {
  const t = lapicOf(kvm, index).timer;
  if (t.mode !== TSC_DEADLINE) t.target = deadline;
}

/** The timer fired: it is delivered as soon as APIC and LVT entry let it pass. */
export function timerFired(kvm: Kvm, index: number, seq: Seq): void {
  const t = lapicOf(kvm, index).timer;
  if (t.pending) return;
  t.pending = true;
  t.cause = seq;
}

/** sim:lapic_timer_delivered. */
export function timerDelivered(kvm: Kvm, { vcpu_id: index }: EventOf<'sim:lapic_timer_delivered'>): void {
  const t = lapicOf(kvm, index).timer;
  t.pending = false;
  t.cause = NONE;
  if (t.mode === TSC_DEADLINE) t.tscDeadline = 0n;
  else if (t.mode === ONE_SHOT) t.target = 0;
}

/** New APIC base, with the ids that go with a change of mode. */
function setBase(l: Lapic, value: number): void {
  const changed = l.apicBase ^ value;
  l.apicBase = value;
  const enabled = (value & APIC_BASE_ENABLE) !== 0;
  if ((changed & APIC_BASE_ENABLE) !== 0 && enabled) l.id = (l.vcpu << 24) >>> 0;
  if ((changed & APIC_BASE_EXTD) === 0) return;
  if (isX2apic(l)) {
    l.id = l.vcpu;
    l.ldr = x2apicLogicalId(l.vcpu);
  } else if (enabled) {
    l.id = (l.vcpu << 24) >>> 0;
  }
}

/** sim:apic_base of a vCPU with an in-kernel APIC. */
export function baseWritten(kvm: Kvm, { vcpu_id: index, value }: EventOf<'sim:apic_base'>): void {
  const chip = kvm.vm!.irqchip;
  if (chip === undefined) return;
  setBase(chip.lapics[index]!, value);
  scan(chip);
}

/** The RESET or (`init`) INIT state. The BSP's LINT0 comes up as ExtINT, as KVM's quirk has it. */
export function reset(kvm: Kvm, index: number, init: boolean): void {
  const chip = chipOf(kvm);
  const l = chip.lapics[index]!;
  const isBsp = index === 0;
  if (!init) setBase(l, DEFAULT_BASE + APIC_BASE_ENABLE + (isBsp ? APIC_BASE_BSP : 0));
  if (!init) l.id = (index << 24) >>> 0;
  l.lvt.fill(LVT_MASKED);
  updateTimerMode(l);
  if (isBsp) l.lvt[LVT_LINT0] = EXTINT_UNMASKED;
  l.dfr = 0xffffffff;
  l.svr = 0xff;
  l.tpr = 0;
  if (!isX2apic(l)) l.ldr = 0;
  l.icrLow = 0;
  l.icrHigh = 0;
  l.divideConfig = 0;
  l.esr = 0;
  l.errors = 0;
  l.initialCount = 0;
  for (const words of [l.irr, l.isr, l.tmr]) words.fill(0);
  l.causes = {};
  l.isrCache = -1;
  l.timer.divide = divisorOf(0);
  l.timer.pending = false;
  scan(chip);
}

/** KVM_CREATE_VCPU: one more LAPIC in its power-on state. */
export function added(kvm: Kvm): void {
  const chip = chipOf(kvm);
  const vcpu = chip.lapics.length;
  chip.lapics.push(newLapic(vcpu));
  chip.ioapic.rtc.vectors.push(0);
  reset(kvm, vcpu, false);
}

/** What KVM_SET_CPUID2 promised the guest. */
export function featuresSet(kvm: Kvm, index: number, features: LapicFeatures): void {
  const l = kvm.vm!.irqchip?.lapics[index];
  if (l !== undefined) l.features = { ...features };
}

/** KVM_SET_LAPIC. */
export function restored(kvm: Kvm, { vcpu_id: index, regs }: EventOf<'ioctl:KVM_SET_LAPIC'>, { seq }: Stamped): void {
  const chip = chipOf(kvm);
  const l = chip.lapics[index]!;
  const view = new DataView(regs.buffer, regs.byteOffset, regs.byteLength);
  const take = (offset: number): number => view.getUint32(offset, true);
  for (const [offset, name] of WORDS) l[name] = take(offset);
  l.id = isX2apic(l) ? index : take(APIC_ID);
  if (isX2apic(l)) l.ldr = x2apicLogicalId(index);
  for (let i = 0; i < l.lvt.length; i++) l.lvt[i] = take(APIC_LVT_TIMER + i * 16);
  takeVectors(view, APIC_ISR, l.isr);
  takeVectors(view, APIC_TMR, l.tmr);
  takeVectors(view, APIC_IRR, l.irr);
  l.errors = 0;
  l.causes = {};
  for (let vector = 0; vector < 256; vector += 1) if (testVector(l.irr, vector)) l.causes[vector] = seq;
  l.isrCache = -1;
  const t = l.timer;
  t.pending = false;
  updateTimerMode(l);
  t.divide = divisorOf(l.divideConfig);
  if (isCounting(t)) t.period = limitedPeriod(t.mode, l.initialCount * t.divide);
  restoreRtcTracking(chip, l);
  scan(chip);
  makeRequest(kvm.vcpus[index]!, REQ_EVENT, seq);
}

function takeVectors(view: DataView, offset: number, words: number[]): void {
  for (let i = 0; i < 8; i++) words[i] = view.getInt32(offset + i * 16, true);
}
