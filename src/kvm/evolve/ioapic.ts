/** What facts do to the I/O APIC, and to the vectors it wants to hear the end of. */
import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { matchesDestination } from '../irqchip/delivery.ts';
import {
  isAsserted,
  isLevel,
  isMasked,
  LEVEL,
  message,
  READ_ONLY,
  REMOTE_IRR,
  selectedPin,
  STORM_COUNT,
} from '../irqchip/ioapic.ts';
import { awaitsEoi } from '../irqchip/lapic.ts';
import { hasAckNotifier } from '../irqchip/notifiers.ts';
import {
  IOAPIC,
  IOAPIC_PINS,
  type IoapicState,
  type IrqchipState,
  type LapicState,
  RTC_PIN,
} from '../irqchip/state.ts';
import { setVector } from '../irqchip/vectors.ts';
import type { KvmState } from '../state.ts';
import { unpackIoapic } from '../ioctl/structs.ts';
import { resetReinject } from './pit.ts';

type Chip = Draft<IrqchipState>;
type Ioapic = Draft<IoapicState>;

const chipOf = (kvm: Draft<KvmState>): Chip => kvm.vm!.irqchip!;

/** sim:ioapic_line. What asserted a line is the one whose interrupt is delivered again while it stands. */
export function lineLatched(kvm: Draft<KvmState>, { pin, level }: EventOf<'sim:ioapic_line'>, stamped: Stamped): void {
  const io = chipOf(kvm).ioapic;
  const bit = 1 << pin;
  if (level === 0) {
    io.irr &= ~bit;
    putAt(io.causes, pin, NONE);
    return;
  }
  if ((io.irr & bit) === 0) putAt(io.causes, pin, stamped.cause ?? stamped.seq);
  io.irr |= bit;
  if (!isLevel(io, pin)) io.irrDelivered &= ~bit;
}

/** sim:ioapic_delivered. */
export function delivered(kvm: Draft<KvmState>, { pin, count, rtc }: EventOf<'sim:ioapic_delivered'>): void {
  const io = chipOf(kvm).ioapic;
  if (rtc) io.rtc.pendingEoi = Math.max(0, count);
  if (!isLevel(io, pin)) io.irrDelivered |= 1 << pin;
  else if (count !== 0) putAt(io.redirLow, pin, (io.redirLow[pin]! | REMOTE_IRR) >>> 0);
}

/** A LAPIC took the RTC's interrupt. */
export function rtcAccepted(io: Ioapic, vcpu: number, vector: number): void {
  io.rtc.vcpus = (io.rtc.vcpus | (1 << vcpu)) >>> 0;
  putAt(io.rtc.vectors, vcpu, vector);
}

/** An EOI that may be the RTC's. */
export function rtcEnded(io: Ioapic, vcpu: number, vector: number): void {
  const bit = 1 << vcpu;
  if ((io.rtc.vcpus & bit) === 0 || io.rtc.vectors[vcpu] !== vector) return;
  io.rtc.vcpus = (io.rtc.vcpus & ~bit) >>> 0;
  io.rtc.pendingEoi = Math.max(0, io.rtc.pendingEoi - 1);
}

/** sim:ioapic_eoi. */
export function ended(kvm: Draft<KvmState>, { pin }: EventOf<'sim:ioapic_eoi'>): void {
  const io = chipOf(kvm).ioapic;
  putAt(io.redirLow, pin, (io.redirLow[pin]! & ~REMOTE_IRR) >>> 0);
  const counts = !isMasked(io, pin) && isAsserted(io, pin);
  const count = counts ? io.eoiCount[pin]! + 1 : 0;
  io.eoiCount[pin] = count >= STORM_COUNT ? 0 : count;
}

/** sim:ioapic_write: IOREGSEL, or what it selects. */
export function written(kvm: Draft<KvmState>, { offset, val }: EventOf<'sim:ioapic_write'>): void {
  const chip = chipOf(kvm);
  const io = chip.ioapic;
  if (offset === 0) {
    io.ioregsel = val & 0xff;
    return;
  }
  if (io.ioregsel === 0) io.id = (val >>> 24) & 0xf;
  const pin = selectedPin(io);
  if (pin < 0) return;
  const wasMasked = isMasked(io, pin);
  if ((io.ioregsel & 1) !== 0) putAt(io.redirHigh, pin, val >>> 0);
  else {
    const low = (val & ~READ_ONLY) | (io.redirLow[pin]! & READ_ONLY);
    // An edge entry has no remote IRR: guests switch to edge and back to end a stuck interrupt.
    putAt(io.redirLow, pin, ((low & LEVEL) === 0 ? low & ~REMOTE_IRR : low) >>> 0);
  }
  if (wasMasked && !isMasked(io, pin)) resetReinject(chip, IOAPIC, pin);
  scan(chip);
}

function scanInto(chip: Chip, l: Draft<LapicState>): void {
  const { ioapic: io } = chip;
  l.ioapicHandled.fill(0);
  if ((io.rtc.vcpus & (1 << l.vcpu)) !== 0) setVector(l.ioapicHandled, io.rtc.vectors[l.vcpu]!);
  for (let pin = 0; pin < IOAPIC_PINS; pin++) {
    if (!isLevel(io, pin) && pin !== RTC_PIN && !hasAckNotifier(chip, IOAPIC, pin)) continue;
    const m = message(io, pin);
    if (matchesDestination(l, -1, m) || awaitsEoi(l, m.vector)) setVector(l.ioapicHandled, m.vector);
  }
}

/** KVM_REQ_SCAN_IOAPIC: learn anew which vectors' EOIs each vCPU must pass on. */
export function scan(chip: Chip): void {
  for (const l of chip.lapics) scanInto(chip, l);
}

/** Whether the RTC interrupt of a vCPU restored from outside still awaits its EOI. */
export function restoreRtcTracking(chip: Chip, l: LapicState): void {
  const io = chip.ioapic;
  const m = message(io, RTC_PIN);
  if (!matchesDestination(l, -1, m)) return;
  const bit = 1 << l.vcpu;
  const awaits = awaitsEoi(l, m.vector);
  if (awaits === ((io.rtc.vcpus & bit) !== 0)) return;
  if (awaits) {
    rtcAccepted(io, l.vcpu, m.vector);
    io.rtc.pendingEoi++;
  } else {
    io.rtc.vcpus = (io.rtc.vcpus & ~bit) >>> 0;
    io.rtc.pendingEoi = Math.max(0, io.rtc.pendingEoi - 1);
  }
}

/** KVM_SET_IRQCHIP of the IOAPIC: asserted inputs come as facts of their own. */
export function restored(kvm: Draft<KvmState>, state: Uint8Array): void {
  const chip = chipOf(kvm);
  const io = chip.ioapic;
  const { ioregsel, id, redirtbl } = unpackIoapic(state);
  io.ioregsel = ioregsel;
  io.id = id;
  io.redirLow = redirtbl.map((entry) => Number(BigInt.asUintN(32, entry)));
  io.redirHigh = redirtbl.map((entry) => Number(BigInt.asUintN(32, entry >> 32n)));
  io.irr = 0;
  io.irrDelivered = 0;
  io.causes.fill(NONE);
  scan(chip);
  io.rtc = { pendingEoi: 0, vcpus: 0, vectors: chip.lapics.map(() => 0) };
}

/** sim:ioapic_restored. */
export function rtcRestored(kvm: Draft<KvmState>): void {
  const chip = chipOf(kvm);
  for (const l of chip.lapics) restoreRtcTracking(chip, l);
}
