/** The 82093AA I/O APIC as KVM emulates it (Intel 82093AA data sheet; KVM's version 11h, no EOI register). */
import { deliverToApic, matchesDestination, SHORTHAND_NONE } from './delivery.ts';
import type { LapicMessage } from './delivery.ts';
import type { IrqEffects } from './effects.ts';
import { awaitsEoi } from './lapic.ts';
import { ackPin, hasAckNotifier, maskChanged, resampleOnUnmask } from './notifiers.ts';
import type { IoapicState, IrqchipState, LapicState } from './state.ts';
import { IOAPIC, IOAPIC_PINS, RTC_PIN, zeros } from './state.ts';
import { entryBits } from './trace.ts';
import { setVector } from './vectors.ts';

/** Where the registers lie and how far they reach. */
export const IOAPIC_BASE = 0xfec00000;
export const IOAPIC_LENGTH = 0x100;

const VERSION = ((IOAPIC_PINS - 1) << 16) | 0x11;

/** Redirection entry, low half. */
const DELIVERY_STATUS = 0x1000;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x10000;
const READ_ONLY = DELIVERY_STATUS | REMOTE_IRR;

/** A level interrupt that fires this often without its line ever going low is slowed down. */
const STORM_COUNT = 10000;
const STORM_DELAY_NS = 10_000_000;

const vectorOf = (io: IoapicState, pin: number): number => io.redirLow[pin] & 0xff;
const isLevel = (io: IoapicState, pin: number): boolean => (io.redirLow[pin] & LEVEL) !== 0;
const isMasked = (io: IoapicState, pin: number): boolean => (io.redirLow[pin] & MASKED) !== 0;
const isAsserted = (io: IoapicState, pin: number): boolean => (io.irr & (1 << pin)) !== 0;

function message(io: IoapicState, pin: number): LapicMessage {
  const low = io.redirLow[pin];
  return {
    destination: io.redirHigh[pin] >>> 24,
    logical: (low & 0x800) !== 0,
    shorthand: SHORTHAND_NONE,
    deliveryMode: low & 0x700,
    vector: low & 0xff,
    level: true,
    trigMode: (low >>> 15) & 1,
    redirHint: false,
  };
}

/** Send the pin's interrupt unless masked or awaiting EOI. Returns as `deliverToApic`. */
function service(chip: IrqchipState, pin: number, lineStatus: boolean, fx: IrqEffects): number {
  const io = chip.ioapic;
  if ((io.redirLow[pin] & MASKED) !== 0) return -1;
  if ((io.redirLow[pin] & (LEVEL | REMOTE_IRR)) === (LEVEL | REMOTE_IRR)) return -1;
  const level = isLevel(io, pin);
  if (!level) io.irrDelivered |= 1 << pin;
  let delivered: number;
  if (pin === RTC_PIN && lineStatus) {
    delivered = deliverToApic(chip, -1, message(io, pin), fx, io.rtc);
    io.rtc.pendingEoi = Math.max(0, delivered);
  } else {
    delivered = deliverToApic(chip, -1, message(io, pin), fx);
  }
  if (delivered !== 0 && level) io.redirLow[pin] = (io.redirLow[pin] | REMOTE_IRR) >>> 0;
  return delivered;
}

function changeInput(chip: IrqchipState, pin: number, high: boolean, lineStatus: boolean, fx: IrqEffects): number {
  const io = chip.ioapic;
  const bit = 1 << pin;
  if (!high) {
    io.irr &= ~bit;
    return 1;
  }
  if (pin === RTC_PIN && lineStatus && io.rtc.pendingEoi > 0) return 0;
  const before = io.irr;
  io.irr |= bit;
  if (!isLevel(io, pin)) {
    io.irrDelivered &= ~bit;
    if (before === io.irr) return 0;
  }
  return service(chip, pin, lineStatus, fx);
}

function setInput(chip: IrqchipState, pin: number, high: boolean, lineStatus: boolean, fx: IrqEffects): number {
  const io = chip.ioapic;
  const e = entryBits(io.redirLow[pin], io.redirHigh[pin]);
  const result = changeInput(chip, pin, high, lineStatus, fx);
  fx.raise({ kind: 'kvm_ioapic_set_irq', e, pin, coalesced: result === 0 });
  return result;
}

/** Move a pin for one source. Returns > 0 delivered, 0 coalesced, -1 masked. */
export function setIoapicIrq(
  chip: IrqchipState,
  pin: number,
  source: number,
  level: boolean,
  fx: IrqEffects,
  lineStatus: boolean,
): number {
  const io = chip.ioapic;
  const bit = 1 << source;
  io.irqStates[pin] = level ? io.irqStates[pin] | bit : io.irqStates[pin] & ~bit;
  return setInput(chip, pin, io.irqStates[pin] !== 0, lineStatus, fx);
}

function scanInto(chip: IrqchipState, l: LapicState): void {
  const { ioapic: io } = chip;
  l.ioapicHandled.fill(0);
  if ((io.rtc.vcpus & (1 << l.vcpu)) !== 0) setVector(l.ioapicHandled, io.rtc.vectors[l.vcpu]);
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (!isLevel(io, pin) && pin !== RTC_PIN && !hasAckNotifier(chip, IOAPIC, pin)) continue;
    const m = message(io, pin);
    if (matchesDestination(l, -1, m) || awaitsEoi(l, m.vector)) setVector(l.ioapicHandled, m.vector);
  }
}

/** Learn anew which vectors' EOIs each vCPU must pass on (KVM_REQ_SCAN_IOAPIC). */
export function scanIoapic(chip: IrqchipState): void {
  for (const l of chip.lapics) scanInto(chip, l);
}

function readIndirect(io: IoapicState): number {
  switch (io.ioregsel) {
    case 0:
    case 2:
      return (io.id & 0xf) << 24;
    case 1:
      return VERSION;
  }
  const pin = (io.ioregsel - 0x10) >> 1;
  if (pin < 0 || pin >= IOAPIC_PINS) return 0xffffffff;
  return ((io.ioregsel & 1) !== 0 ? io.redirHigh[pin] : io.redirLow[pin]) >>> 0;
}

function writeRedirection(chip: IrqchipState, pin: number, high: boolean, value: number, fx: IrqEffects): void {
  const io = chip.ioapic;
  const before = io.redirLow[pin];
  if (high) io.redirHigh[pin] = value >>> 0;
  else {
    let low = (value & ~READ_ONLY) | (before & READ_ONLY);
    // An edge entry has no remote IRR: guests switch to edge and back to end a stuck interrupt.
    if ((low & LEVEL) === 0) low &= ~REMOTE_IRR;
    io.redirLow[pin] = low >>> 0;
  }
  const after = io.redirLow[pin];
  if (((before ^ after) & MASKED) !== 0) maskChanged(chip, IOAPIC, pin, (after & MASKED) !== 0);
  const ready = (after & (LEVEL | REMOTE_IRR | MASKED)) === LEVEL;
  if (ready && isAsserted(io, pin)) {
    if (resampleOnUnmask(chip, IOAPIC, pin, fx)) io.irr &= ~(1 << pin);
    else service(chip, pin, false, fx);
  }
  scanIoapic(chip);
}

/** A read of the register at `offset` (IOREGSEL 00h, IOWIN 10h). */
export function ioapicRead(chip: IrqchipState, offset: number): number {
  if ((offset & 0xff) === 0x00) return chip.ioapic.ioregsel;
  return (offset & 0xff) === 0x10 ? readIndirect(chip.ioapic) : 0;
}

/** A write to the register at `offset`; `value` is at most 32 bits wide. */
export function ioapicWrite(chip: IrqchipState, offset: number, value: number, fx: IrqEffects): void {
  const io = chip.ioapic;
  if ((offset & 0xff) === 0x00) io.ioregsel = value & 0xff;
  if ((offset & 0xff) !== 0x10) return;
  if (io.ioregsel === 0) io.id = (value >>> 24) & 0xf;
  const pin = (io.ioregsel - 0x10) >> 1;
  if (pin >= 0 && pin < IOAPIC_PINS) writeRedirection(chip, pin, (io.ioregsel & 1) !== 0, value, fx);
}

function endRtc(io: IoapicState, vcpu: number, vector: number): void {
  const bit = 1 << vcpu;
  if ((io.rtc.vcpus & bit) === 0 || io.rtc.vectors[vcpu] !== vector) return;
  io.rtc.vcpus &= ~bit;
  io.rtc.pendingEoi = Math.max(0, io.rtc.pendingEoi - 1);
}

function endPin(chip: IrqchipState, pin: number, level: boolean, fx: IrqEffects): void {
  const io = chip.ioapic;
  ackPin(chip, IOAPIC, pin, fx);
  if (!level) return;
  io.redirLow[pin] = (io.redirLow[pin] & ~REMOTE_IRR) >>> 0;
  if (isMasked(io, pin) || !isAsserted(io, pin)) {
    io.eoiCount[pin] = 0;
    return;
  }
  if (++io.eoiCount[pin] < STORM_COUNT) {
    service(chip, pin, false, fx);
    return;
  }
  io.eoiCount[pin] = 0;
  io.eoiInjectAt ??= fx.now() + STORM_DELAY_NS;
  fx.raise({ kind: 'kvm_ioapic_delayed_eoi_inj', e: entryBits(io.redirLow[pin], io.redirHigh[pin]) });
}

/** A LAPIC's EOI broadcast: end every pin with this vector. SDM Vol. 3, 11.8.5. */
export function ioapicEoi(chip: IrqchipState, vcpu: number, vector: number, level: boolean, fx: IrqEffects): void {
  const io = chip.ioapic;
  endRtc(io, vcpu, vector);
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (vectorOf(io, pin) === vector) endPin(chip, pin, level, fx);
  }
}

/** The throttle of a storming level interrupt is over. */
export function expireIoapic(chip: IrqchipState, fx: IrqEffects): void {
  const io = chip.ioapic;
  if (io.eoiInjectAt === undefined || io.eoiInjectAt > fx.now()) return;
  io.eoiInjectAt = undefined;
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (isLevel(io, pin) && isAsserted(io, pin)) service(chip, pin, false, fx);
  }
}

/** Whether the RTC interrupt of a vCPU restored from outside still awaits its EOI. */
export function restoreRtcTracking(chip: IrqchipState, l: LapicState): void {
  const io = chip.ioapic;
  const m = message(io, RTC_PIN);
  if (!matchesDestination(l, -1, m)) return;
  const bit = 1 << l.vcpu;
  const awaits = awaitsEoi(l, m.vector);
  if (awaits === ((io.rtc.vcpus & bit) !== 0)) return;
  if (awaits) {
    io.rtc.vcpus |= bit;
    io.rtc.vectors[l.vcpu] = m.vector;
    io.rtc.pendingEoi++;
  } else {
    io.rtc.vcpus &= ~bit;
    io.rtc.pendingEoi = Math.max(0, io.rtc.pendingEoi - 1);
  }
}

/** After the state was set from outside: deliver what `irr` says is asserted. */
export function injectAsserted(chip: IrqchipState, irr: number, fx: IrqEffects): void {
  const io = chip.ioapic;
  io.rtc = { pendingEoi: 0, vcpus: 0, vectors: zeros(chip.lapics.length) };
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if ((irr & (1 << pin)) !== 0) setInput(chip, pin, true, true, fx);
  }
  for (const l of chip.lapics) restoreRtcTracking(chip, l);
}
