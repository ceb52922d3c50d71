/** The local APIC's registers: SDM Vol. 3, Table 11-1 (xAPIC, memory) and Table 11-6 (x2APIC, MSRs 800h-8FFh). */
import type { LapicMessage } from './delivery.ts';
import { deliverToApic, SHORTHAND_SELF } from './delivery.ts';
import type { IrqEffects } from './effects.ts';
import { ioapicEoi, scanIoapic } from './ioapic.ts';
import {
  deliverableVector,
  isPresent,
  isSoftwareEnabled,
  isX2apic,
  LVT_MASKED,
  LVT_TIMER,
  processorPriority,
  setTaskPriority,
} from './lapic.ts';
import {
  currentCount,
  deliverExpiredTimer,
  timerModeMask,
  updateTimerMode,
  writeDivide,
  writeInitialCount,
} from './lapic-timer.ts';
import type { IrqchipState, LapicState } from './state.ts';
import { traceApic } from './trace.ts';
import { clearVector, highestVector, testVector } from './vectors.ts';

/** Register offsets. */
export const APIC_ID = 0x20;
export const APIC_VERSION = 0x30;
export const APIC_TPR = 0x80;
export const APIC_ARBPRI = 0x90;
export const APIC_PPR = 0xa0;
export const APIC_EOI = 0xb0;
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
export const APIC_SELF_IPI = 0x3f0;

/** Version 14h with six LVT entries and no EOI-broadcast suppression. */
export const APIC_VERSION_VALUE = 0x50014;

const ICR_BUSY = 0x1000;
/** ICR bits x2APIC reserves: 31:20, 17:16, 13. SDM Vol. 3, Figure 11-28. */
const X2APIC_ICR_RESERVED = 0xfff32000n;
const SVR_WRITABLE = 0x3ff;

const LVT_PLAIN = 0x110ff;
const LVT_MODE = 0x117ff;
const LVT_LINT = 0x1f7ff;
const LVT_WRITABLE = [LVT_PLAIN, LVT_MODE, LVT_MODE, LVT_LINT, LVT_LINT, LVT_PLAIN];

/** End of interrupt: the highest vector in service ends, or -1 when there is none. SDM Vol. 3, 11.8.5. */
export function writeEoi(chip: IrqchipState, vcpu: number, fx: IrqEffects): number {
  const l = chip.lapics[vcpu];
  const vector = highestVector(l.isr);
  fx.raise({ kind: 'kvm_eoi', apicid: vcpu, vector });
  if (vector < 0) return vector;
  clearVector(l.isr, vector);
  l.isrCache = -1;
  if (testVector(l.ioapicHandled, vector)) ioapicEoi(chip, vcpu, vector, testVector(l.tmr, vector), fx);
  if (deliverableVector(l) >= 0) fx.kick(vcpu);
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

function sendIpi(chip: IrqchipState, l: LapicState, low: number, high: number, fx: IrqEffects): void {
  const destination = isX2apic(l) ? high : high >>> 24;
  fx.raise({ kind: 'kvm_apic_ipi', icr_low: low, dest_id: destination });
  deliverToApic(chip, l.vcpu, icrMessage(low, destination), fx);
}

/** The value of a register, or undefined where none can be read. */
function readRegister(l: LapicState, offset: number, fx: IrqEffects): number | undefined {
  const word = (offset >> 4) & 7;
  if (offset >= APIC_ISR && offset < APIC_TMR) return l.isr[word] >>> 0;
  if (offset >= APIC_TMR && offset < APIC_IRR) return l.tmr[word] >>> 0;
  if (offset >= APIC_IRR && offset < APIC_ESR) return l.irr[word] >>> 0;
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
      return 0;
    case APIC_ICR:
      return l.icrLow;
    case APIC_INITIAL_COUNT:
      return l.initialCount;
    case APIC_CURRENT_COUNT:
      return currentCount(l, fx.now());
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

function writeSpurious(chip: IrqchipState, l: LapicState, value: number, fx: IrqEffects): void {
  const toggled = ((l.svr ^ value) & 0x100) !== 0;
  l.svr = value & SVR_WRITABLE;
  if (!isSoftwareEnabled(l)) {
    for (let i = 0; i < l.lvt.length; i++) l.lvt[i] |= LVT_MASKED;
    updateTimerMode(l);
    l.timer.pending = false;
  }
  if (toggled) scanIoapic(chip);
  deliverExpiredTimer(l, fx);
}

function writeLvt(l: LapicState, index: number, value: number, fx: IrqEffects): void {
  const masked = isSoftwareEnabled(l) ? value : value | LVT_MASKED;
  l.lvt[index] = masked & LVT_WRITABLE[index];
  if (index !== LVT_TIMER) return;
  l.lvt[index] |= masked & timerModeMask(l);
  updateTimerMode(l);
  deliverExpiredTimer(l, fx);
}

/** Registers that only xAPIC mode lets the guest write. False: refused. */
function writeXapicRegister(chip: IrqchipState, l: LapicState, offset: number, value: number): boolean {
  if (isX2apic(l)) return false;
  switch (offset) {
    case APIC_ID:
      l.id = (value & 0xff000000) >>> 0;
      break;
    case APIC_LDR:
      l.ldr = (value & 0xff000000) >>> 0;
      break;
    case APIC_DFR:
      l.dfr = (value | 0x0fffffff) >>> 0;
      break;
    case APIC_ICR2:
      l.icrHigh = (value & 0xff000000) >>> 0;
      return true;
    default:
      return false;
  }
  scanIoapic(chip);
  return true;
}

function writeSelfIpi(chip: IrqchipState, l: LapicState, value: number, fx: IrqEffects): boolean {
  if (!isX2apic(l) || (value & ~0xff) !== 0) return false;
  sendIpi(chip, l, SHORTHAND_SELF | value, 0, fx);
  return true;
}

/** Write a 32-bit register. False: refused, #GP in x2APIC mode. */
function writeRegister(chip: IrqchipState, l: LapicState, offset: number, value: number, fx: IrqEffects): boolean {
  traceApic(fx, 1, offset, BigInt(value));
  if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) {
    writeLvt(l, (offset - APIC_LVT_TIMER) >> 4, value, fx);
    return true;
  }
  switch (offset) {
    case APIC_TPR:
      setTaskPriority(l, value & 0xff, fx);
      return true;
    case APIC_EOI:
      writeEoi(chip, l.vcpu, fx);
      return true;
    case APIC_SVR:
      writeSpurious(chip, l, value, fx);
      return true;
    case APIC_ICR: {
      const low = (value & ~ICR_BUSY) >>> 0;
      sendIpi(chip, l, low, l.icrHigh, fx);
      l.icrLow = low;
      return true;
    }
    case APIC_INITIAL_COUNT:
      writeInitialCount(l, value, fx);
      return true;
    case APIC_DIVIDE:
      writeDivide(l, value, fx);
      return true;
    case APIC_ESR:
      return !isX2apic(l) || value === 0;
    case APIC_SELF_IPI:
      return writeSelfIpi(chip, l, value, fx);
    default:
      return writeXapicRegister(chip, l, offset, value);
  }
}

/** The page is dead: APIC disabled, or in x2APIC mode. Reads give ones, writes nothing (KVM's default quirk). */
const isMmioHole = (l: LapicState): boolean => !isPresent(l) || isX2apic(l);

/** The page of registers begins here. */
export function lapicMmioBase(chip: IrqchipState, vcpu: number): number {
  const { apicBase } = chip.lapics[vcpu];
  return apicBase - (apicBase % 4096);
}

/** A read of `size` bytes at `offset` in the register page. -1: all ones, however wide the access. */
export function lapicMmioRead(chip: IrqchipState, vcpu: number, offset: number, size: number, fx: IrqEffects): number {
  const l = chip.lapics[vcpu];
  if (isMmioHole(l)) return -1;
  const byte = offset & 0xf;
  if (byte + size > 4 || offset > 0x3ff) return 0;
  const value = readRegister(l, offset & ~0xf, fx);
  if (value === undefined) return 0;
  traceApic(fx, 0, offset, BigInt(value));
  const shifted = value >>> (byte * 8);
  return size === 4 ? shifted : shifted & ((1 << (size * 8)) - 1);
}

/** A write at `offset`: only aligned 32-bit ones count. */
export function lapicMmioWrite(
  chip: IrqchipState,
  vcpu: number,
  offset: number,
  size: number,
  value: number,
  fx: IrqEffects,
): void {
  const l = chip.lapics[vcpu];
  if (isMmioHole(l) || size !== 4 || (offset & 0xf) !== 0) return;
  writeRegister(chip, l, offset & 0xff0, value >>> 0, fx);
}

/** RDMSR of 800h-8FFh. Undefined: #GP. */
export function lapicMsrRead(chip: IrqchipState, vcpu: number, msr: number, fx: IrqEffects): bigint | undefined {
  const l = chip.lapics[vcpu];
  if (!isX2apic(l)) return undefined;
  const offset = (msr - 0x800) << 4;
  if (offset === APIC_ICR) return (BigInt(l.icrHigh) << 32n) | BigInt(l.icrLow);
  const value = offset > 0x3f0 ? undefined : readRegister(l, offset, fx);
  if (value === undefined) return undefined;
  traceApic(fx, 0, offset, BigInt(value));
  return BigInt(value);
}

function writeX2apicIcr(chip: IrqchipState, l: LapicState, value: bigint, fx: IrqEffects): boolean {
  if ((value & X2APIC_ICR_RESERVED) !== 0n) return false;
  const low = (Number(value & 0xffffffffn) & ~ICR_BUSY) >>> 0;
  const high = Number(value >> 32n);
  sendIpi(chip, l, low, high, fx);
  l.icrLow = low;
  l.icrHigh = high;
  traceApic(fx, 1, APIC_ICR, (BigInt(high) << 32n) | BigInt(low));
  return true;
}

/** WRMSR of 800h-8FFh. False: #GP. */
export function lapicMsrWrite(chip: IrqchipState, vcpu: number, msr: number, value: bigint, fx: IrqEffects): boolean {
  const l = chip.lapics[vcpu];
  if (!isX2apic(l)) return false;
  const offset = (msr - 0x800) << 4;
  if (offset === APIC_ICR) return writeX2apicIcr(chip, l, value, fx);
  if (value >> 32n !== 0n) return false;
  return writeRegister(chip, l, offset, Number(value), fx);
}
