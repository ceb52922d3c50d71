/** The 82093AA I/O APIC as KVM emulates it (Intel 82093AA data sheet; KVM's version 11h, no EOI register). */
import { armTimer, fireTimer, isDue } from '../../events/timers.ts';
import { chipOf, type KvmContext } from '../context.ts';
import { deliverToApic, type LapicMessage, SHORTHAND_NONE } from './delivery.ts';
import { ackPin, resampleOnUnmask } from './notifiers.ts';
import { IOAPIC, IOAPIC_PINS, type IoapicState, RTC_PIN } from './state.ts';
import { entryBits } from './trace.ts';

/** Where the registers lie and how far they reach. */
export const IOAPIC_BASE = 0xfec00000;
export const IOAPIC_LENGTH = 0x100;

const VERSION = ((IOAPIC_PINS - 1) << 16) | 0x11;

/** Redirection entry, low half. */
const DELIVERY_STATUS = 0x1000;
export const REMOTE_IRR = 0x4000;
export const LEVEL = 0x8000;
const MASKED = 0x10000;
export const READ_ONLY = DELIVERY_STATUS | REMOTE_IRR;

/** A level interrupt that fires this often without its line ever going low is slowed down. */
export const STORM_COUNT = 10000;
const STORM_DELAY_NS = 10_000_000;

/** When a throttled level interrupt is delivered again. */
const EOI_TIMER = 'kvm-ioapic-eoi';

const vectorOf = (io: IoapicState, pin: number): number => io.redirLow[pin]! & 0xff;
export const isLevel = (io: IoapicState, pin: number): boolean => (io.redirLow[pin]! & LEVEL) !== 0;
export const isMasked = (io: IoapicState, pin: number): boolean => (io.redirLow[pin]! & MASKED) !== 0;
export const isAsserted = (io: IoapicState, pin: number): boolean => (io.irr & (1 << pin)) !== 0;

/** What a pin sends. */
export function message(io: IoapicState, pin: number): LapicMessage {
  const low = io.redirLow[pin]!;
  return {
    destination: io.redirHigh[pin]! >>> 24,
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
function service(kvm: KvmContext, pin: number, lineStatus: boolean): number {
  const io = chipOf(kvm).ioapic;
  if (isMasked(io, pin)) return -1;
  if ((io.redirLow[pin]! & (LEVEL | REMOTE_IRR)) === (LEVEL | REMOTE_IRR)) return -1;
  const rtc = pin === RTC_PIN && lineStatus;
  const count = deliverToApic(kvm, -1, message(io, pin), rtc);
  kvm.raise({ kind: 'sim:ioapic_delivered', pin, count, rtc });
  return count;
}

/** The interrupt of a line that stands high since something else than what is handled now. */
function serviceAgain(kvm: KvmContext, pin: number): void {
  service(kvm.after(chipOf(kvm).ioapic.causes[pin]!), pin, false);
}

function changeInput(kvm: KvmContext, pin: number, high: boolean, lineStatus: boolean): number {
  const io = chipOf(kvm).ioapic;
  const wasHigh = isAsserted(io, pin);
  if (!high) {
    if (wasHigh) kvm.raise({ kind: 'sim:ioapic_line', pin, level: 0 });
    return 1;
  }
  if (pin === RTC_PIN && lineStatus && io.rtc.pendingEoi > 0) return 0;
  const isEdge = !isLevel(io, pin);
  const rearms = isEdge && (io.irrDelivered & (1 << pin)) !== 0;
  if (!wasHigh || rearms) kvm.raise({ kind: 'sim:ioapic_line', pin, level: 1 });
  return isEdge && wasHigh ? 0 : service(kvm, pin, lineStatus);
}

function setInput(kvm: KvmContext, pin: number, high: boolean, lineStatus: boolean): number {
  const io = chipOf(kvm).ioapic;
  const e = entryBits(io.redirLow[pin]!, io.redirHigh[pin]!);
  const result = changeInput(kvm, pin, high, lineStatus);
  kvm.raise({ kind: 'kvm_ioapic_set_irq', e, pin, coalesced: result === 0 });
  return result;
}

/** A pin was moved by one of its sources: kvm_set_irq has told. Returns > 0 delivered, 0 coalesced, -1 masked. */
export function setIoapicIrq(kvm: KvmContext, pin: number, lineStatus: boolean): number {
  return setInput(kvm, pin, chipOf(kvm).ioapic.irqStates[pin] !== 0, lineStatus);
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
  return ((io.ioregsel & 1) !== 0 ? io.redirHigh[pin]! : io.redirLow[pin]!) >>> 0;
}

/** A read of the register at `offset` (IOREGSEL 00h, IOWIN 10h). */
export function ioapicRead(io: IoapicState, offset: number): number {
  if ((offset & 0xff) === 0x00) return io.ioregsel;
  return (offset & 0xff) === 0x10 ? readIndirect(io) : 0;
}

/** The pin whose redirection entry IOREGSEL selects, or -1. */
export function selectedPin({ ioregsel }: IoapicState): number {
  const pin = (ioregsel - 0x10) >> 1;
  return pin >= 0 && pin < IOAPIC_PINS ? pin : -1;
}

/** A write to the register at `offset`; `value` is at most 32 bits wide. */
export function ioapicWrite(kvm: KvmContext, offset: number, value: number): void {
  const register = offset & 0xff;
  if (register !== 0x00 && register !== 0x10) return;
  kvm.raise({ kind: 'sim:ioapic_write', offset: register, val: value >>> 0 });
  if (register === 0x00) return;
  const io = chipOf(kvm).ioapic;
  const pin = selectedPin(io);
  if (pin < 0 || (io.redirLow[pin]! & (LEVEL | REMOTE_IRR | MASKED)) !== LEVEL || !isAsserted(io, pin)) return;
  if (!resampleOnUnmask(kvm, IOAPIC, pin)) serviceAgain(kvm, pin);
  else if (isAsserted(io, pin)) kvm.raise({ kind: 'sim:ioapic_line', pin, level: 0 });
}

/** The end of interrupt of one pin: a level that still stands is delivered again, not too often. */
function endPin(kvm: KvmContext, pin: number, level: boolean): void {
  ackPin(kvm, IOAPIC, pin);
  if (!level) return;
  const io = chipOf(kvm).ioapic;
  const again = !isMasked(io, pin) && isAsserted(io, pin);
  const storms = io.eoiCount[pin]! + 1 >= STORM_COUNT;
  kvm.raise({ kind: 'sim:ioapic_eoi', pin });
  if (!again) return;
  if (!storms) {
    serviceAgain(kvm, pin);
    return;
  }
  if (kvm.state.timers[EOI_TIMER] === undefined) armTimer(kvm.origin, EOI_TIMER, kvm.now() + STORM_DELAY_NS);
  kvm.raise({ kind: 'kvm_ioapic_delayed_eoi_inj', e: entryBits(io.redirLow[pin]!, io.redirHigh[pin]!) });
}

/** A LAPIC's EOI broadcast: end every pin with this vector. SDM Vol. 3, 11.8.5. */
export function ioapicEoi(kvm: KvmContext, vector: number, level: boolean): void {
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (vectorOf(chipOf(kvm).ioapic, pin) === vector) endPin(kvm, pin, level);
  }
}

/** The throttle of a storming level interrupt is over. False: it is not due. */
export function expireIoapic(kvm: KvmContext): boolean {
  if (!isDue(kvm.state.timers, EOI_TIMER, kvm.now())) return false;
  const fired = kvm.from(fireTimer(kvm.state.timers, kvm.origin, EOI_TIMER));
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    const io = chipOf(kvm).ioapic;
    if (isLevel(io, pin) && isAsserted(io, pin)) service(fired, pin, false);
  }
  return true;
}

/** After the state was set from outside: deliver what `irr` says is asserted. */
export function injectAsserted(kvm: KvmContext, irr: number): void {
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if ((irr & (1 << pin)) !== 0) setInput(kvm, pin, true, true);
  }
  kvm.raise({ kind: 'sim:ioapic_restored' });
}
