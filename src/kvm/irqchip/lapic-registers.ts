/** The local APIC's registers: SDM Vol. 3, Table 11-1 (xAPIC, memory) and Table 11-6 (x2APIC, MSRs 800h-8FFh). */
import { lapicOf, type KvmContext } from '../context.ts';
import { deliverToApic, type LapicMessage, SHORTHAND_SELF } from './delivery.ts';
import { ioapicEoi } from './ioapic.ts';
import {
  DELIVER_EXTINT,
  DELIVER_REMOTE_READ,
  ESR_ILLEGAL_REGISTER,
  ESR_SEND_ILLEGAL_VECTOR,
  isIllegalVector,
  isPresent,
  isX2apic,
  logError,
  processorPriority,
} from './lapic.ts';
import {
  currentCount,
  deliverExpiredTimer,
  rescaleTimer,
  restartCount,
  stopTimer,
  TSC_DEADLINE,
} from './lapic-timer.ts';
import type { LapicState } from './state.ts';
import { traceApic } from './trace.ts';
import { highestVector, testVector } from './vectors.ts';

/** Register offsets. */
export const APIC_ID = 0x20;
export const APIC_VERSION = 0x30;
export const APIC_TPR = 0x80;
const APIC_ARBPRI = 0x90;
export const APIC_PPR = 0xa0;
const APIC_EOI = 0xb0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SVR = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR = 0x300;
export const APIC_ICR2 = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_ERROR = 0x370;
export const APIC_INITIAL_COUNT = 0x380;
export const APIC_CURRENT_COUNT = 0x390;
export const APIC_DIVIDE = 0x3e0;
const APIC_SELF_IPI = 0x3f0;

/** Version 14h with six LVT entries and no EOI-broadcast suppression. */
export const APIC_VERSION_VALUE = 0x50014;

export const ICR_BUSY = 0x1000;
/** ICR bits x2APIC reserves: 31:20, 17:16, 13. SDM Vol. 3, Figure 11-28. */
const X2APIC_ICR_RESERVED = 0xfff32000n;

/** End of interrupt: the highest vector in service ends, or -1 when there is none. SDM Vol. 3, 11.8.5. */
export function writeEoi(kvm: KvmContext, vcpu: number): number {
  const l = lapicOf(kvm, vcpu);
  const vector = highestVector(l.isr);
  const concerns = vector >= 0 && testVector(l.ioapicHandled, vector);
  const level = vector >= 0 && testVector(l.tmr, vector);
  const seq = kvm.raise({ kind: 'kvm_eoi', apicid: vcpu, vector });
  if (concerns) ioapicEoi(kvm.after(seq), vector, level);
  return vector;
}

function icrMessage(low: number, destination: number): LapicMessage {
  return {
    destination,
    logical: (low & 0x800) !== 0,
    shorthand: low & 0xc0000,
    deliveryMode: low & 0x700,
    vector: low & 0xff,
    level: (low & 0x4000) !== 0,
    trigMode: low & 0x8000,
    redirHint: false,
  };
}

function sendIpi(kvm: KvmContext, l: LapicState, low: number, high: number): void {
  const destination = isX2apic(l) ? high : high >>> 24;
  const sent = kvm.after(kvm.raise({ kind: 'kvm_apic_ipi', icr_low: low, dest_id: destination }));
  const message = icrMessage(low, destination);
  const { deliveryMode, vector } = message;
  const isReserved = deliveryMode === DELIVER_REMOTE_READ || deliveryMode === DELIVER_EXTINT;
  if (isReserved || isIllegalVector(deliveryMode, vector)) logError(sent, l, ESR_SEND_ILLEGAL_VECTOR);
  if (!isReserved) deliverToApic(sent, l.vcpu, message);
}

/** The value of a register, or undefined where none can be read. */
function readRegister(kvm: KvmContext, l: LapicState, offset: number): number | undefined {
  const word = (offset >> 4) & 7;
  if (offset >= APIC_ISR && offset < APIC_TMR) return l.isr[word]! >>> 0;
  if (offset >= APIC_TMR && offset < APIC_IRR) return l.tmr[word]! >>> 0;
  if (offset >= APIC_IRR && offset < APIC_ESR) return l.irr[word]! >>> 0;
  if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) return l.lvt[(offset - APIC_LVT_TIMER) >> 4];
  switch (offset) {
    case APIC_ID:
      return l.id;
    case APIC_VERSION:
      return APIC_VERSION_VALUE;
    case APIC_TPR:
      return l.tpr;
    case APIC_PPR:
      return processorPriority(l);
    case APIC_LDR:
      return l.ldr;
    case APIC_SVR:
      return l.svr;
    case APIC_ESR:
      return l.esr;
    case APIC_ICR:
      return l.icrLow;
    case APIC_INITIAL_COUNT:
      return l.initialCount;
    case APIC_CURRENT_COUNT:
      return currentCount(l, kvm.now());
    case APIC_DIVIDE:
      return l.divideConfig;
  }
  return isX2apic(l) ? undefined : readXapicRegister(l, offset);
}

/** Registers x2APIC mode does away with. */
function readXapicRegister(l: LapicState, offset: number): number | undefined {
  switch (offset) {
    case APIC_ARBPRI:
      return 0;
    case APIC_DFR:
      return l.dfr;
    case APIC_ICR2:
      return l.icrHigh;
    default:
      return undefined;
  }
}

/** Reading or writing these is no error, though nothing comes of it: they have been registers of other processors. */
const APIC_REMOTE_READ = 0xc0;

/** No register is there. SDM Vol. 3, Table 11-1. */
function isReservedRegister(offset: number): boolean {
  if (offset > 0x3ff) return true;
  if (isLvt(offset) || (offset >= APIC_ISR && offset <= APIC_ESR)) return false;
  switch (offset) {
    case APIC_ID:
    case APIC_VERSION:
    case APIC_TPR:
    case APIC_ARBPRI:
    case APIC_PPR:
    case APIC_EOI:
    case APIC_REMOTE_READ:
    case APIC_LDR:
    case APIC_DFR:
    case APIC_SVR:
    case APIC_ICR:
    case APIC_ICR2:
    case APIC_INITIAL_COUNT:
    case APIC_CURRENT_COUNT:
    case APIC_DIVIDE:
      return false;
    default:
      return true;
  }
}

const isLvt = (offset: number): boolean => offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR;

/** Whether a register takes what is written; #GP in x2APIC mode where it does not. */
function takesWrite(l: LapicState, offset: number, value: number): boolean {
  if (isLvt(offset)) return true;
  switch (offset) {
    case APIC_TPR:
    case APIC_EOI:
    case APIC_SVR:
    case APIC_ICR:
    case APIC_INITIAL_COUNT:
    case APIC_DIVIDE:
      return true;
    case APIC_ESR:
      return !isX2apic(l) || value === 0;
    case APIC_SELF_IPI:
      return isX2apic(l) && (value & ~0xff) === 0;
    case APIC_ID:
    case APIC_LDR:
    case APIC_DFR:
    case APIC_ICR2:
      return !isX2apic(l);
    default:
      return false;
  }
}

/** Write a 32-bit register: kvm_apic tells what it holds, the rest follows. False: refused, #GP in x2APIC mode. */
function writeRegister(kvm: KvmContext, l: LapicState, offset: number, value: number): boolean {
  const { divide, target, mode } = l.timer;
  const takes = takesWrite(l, offset, value);
  const written = kvm.after(traceApic(kvm, 1, offset, BigInt(value)));
  if (!takes) return false;
  switch (offset) {
    case APIC_EOI:
      writeEoi(written, l.vcpu);
      break;
    case APIC_ICR:
      sendIpi(written, l, (value & ~ICR_BUSY) >>> 0, l.icrHigh);
      break;
    case APIC_SELF_IPI:
      sendIpi(written, l, SHORTHAND_SELF | value, 0);
      break;
    case APIC_INITIAL_COUNT:
      restartCount(written, l.vcpu);
      break;
    case APIC_DIVIDE:
      rescaleTimer(written, l.vcpu, { divide, target });
      break;
    case APIC_SVR:
    case APIC_LVT_TIMER:
      // A move to or from TSC-deadline mode stops the timer.
      if ((mode === TSC_DEADLINE) !== (l.timer.mode === TSC_DEADLINE)) stopTimer(written, l.vcpu);
      deliverExpiredTimer(written, l.vcpu);
      break;
    default:
  }
  return true;
}

/** The page is dead: APIC disabled, or in x2APIC mode. Reads give ones, writes nothing (KVM's default quirk). */
const isMmioHole = (l: LapicState): boolean => !isPresent(l) || isX2apic(l);

/** The page of registers begins here. */
export const lapicMmioBase = ({ apicBase }: LapicState): number => apicBase - (apicBase % 4096);

/** A read of `size` bytes at `offset` in the register page. -1: all ones, however wide the access. */
export function lapicMmioRead(kvm: KvmContext, vcpu: number, offset: number, size: number): number {
  const l = lapicOf(kvm, vcpu);
  if (isMmioHole(l)) return -1;
  const byte = offset & 0xf;
  if (byte + size > 4) return 0;
  if (isReservedRegister(offset & ~0xf)) {
    logError(kvm, l, ESR_ILLEGAL_REGISTER);
    return 0;
  }
  const value = readRegister(kvm, l, offset & ~0xf);
  if (value === undefined) return 0;
  traceApic(kvm, 0, offset, BigInt(value));
  const shifted = value >>> (byte * 8);
  return size === 4 ? shifted : shifted & ((1 << (size * 8)) - 1);
}

/** A write at `offset`: only aligned 32-bit ones count. */
export function lapicMmioWrite(kvm: KvmContext, vcpu: number, offset: number, size: number, value: number): void {
  const l = lapicOf(kvm, vcpu);
  if (isMmioHole(l) || size !== 4 || (offset & 0xf) !== 0) return;
  writeRegister(kvm, l, offset & 0xff0, value >>> 0);
  if (isReservedRegister(offset & 0xff0)) logError(kvm, l, ESR_ILLEGAL_REGISTER);
}

/** RDMSR of 800h-8FFh. Undefined: #GP. */
export function lapicMsrRead(kvm: KvmContext, vcpu: number, msr: number): bigint | undefined {
  const l = lapicOf(kvm, vcpu);
  if (!isX2apic(l)) return undefined;
  const offset = (msr - 0x800) << 4;
  if (offset === APIC_ICR) return (BigInt(l.icrHigh) << 32n) | BigInt(l.icrLow);
  const value = offset > 0x3f0 ? undefined : readRegister(kvm, l, offset);
  if (value === undefined) return undefined;
  traceApic(kvm, 0, offset, BigInt(value));
  return BigInt(value);
}

/** The message goes first, as in KVM; kvm_apic tells what the register holds from then on. */
function writeX2apicIcr(kvm: KvmContext, l: LapicState, value: bigint): boolean {
  if ((value & X2APIC_ICR_RESERVED) !== 0n) return false;
  const low = (Number(value & 0xffffffffn) & ~ICR_BUSY) >>> 0;
  const high = Number(value >> 32n);
  sendIpi(kvm, l, low, high);
  traceApic(kvm, 1, APIC_ICR, (BigInt(high) << 32n) | BigInt(low));
  return true;
}

/** WRMSR of 800h-8FFh. False: #GP. */
export function lapicMsrWrite(kvm: KvmContext, vcpu: number, msr: number, value: bigint): boolean {
  const l = lapicOf(kvm, vcpu);
  if (!isX2apic(l)) return false;
  const offset = (msr - 0x800) << 4;
  if (offset === APIC_ICR) return writeX2apicIcr(kvm, l, value);
  if (value >> 32n !== 0n) return false;
  return writeRegister(kvm, l, offset, Number(value));
}
