/** KVM_GET/SET_IRQCHIP and KVM_GET/SET_LAPIC: Linux arch/x86/include/uapi/asm/kvm.h. */
import { x2apicLogicalId } from './delivery.ts';
import type { IrqEffects } from './effects.ts';
import { injectAsserted, IOAPIC_BASE, restoreRtcTracking, scanIoapic } from './ioapic.ts';
import { deliverableVector, isX2apic, processorPriority } from './lapic.ts';
import {
  APIC_CURRENT_COUNT,
  APIC_DFR,
  APIC_DIVIDE,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_INITIAL_COUNT,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVT_TIMER,
  APIC_PPR,
  APIC_SVR,
  APIC_TMR,
  APIC_TPR,
  APIC_VERSION,
  APIC_VERSION_VALUE,
} from './lapic-registers.ts';
import { currentCount, restoreTimer } from './lapic-timer.ts';
import { refreshPic } from './pic.ts';
import type { IrqchipState, LapicState, PicChip } from './state.ts';
import { entryBits } from './trace.ts';

/** KVM_APIC_REG_SIZE. */
export const LAPIC_BLOB_SIZE = 0x400;

/** struct kvm_ioapic_state. */
export interface IoapicBlob {
  baseAddress: number;
  ioregsel: number;
  id: number;
  irr: number;
  redirtbl: bigint[];
}

/** KVM_GET_IRQCHIP of the PIC `index` (0 master, 1 slave): struct kvm_pic_state. */
export function getPic(chip: IrqchipState, index: number): PicChip {
  return { ...chip.pic.chips[index] };
}

/** KVM_SET_IRQCHIP of a PIC. */
export function setPic(chip: IrqchipState, index: number, blob: PicChip, fx: IrqEffects): void {
  chip.pic.chips[index] = { ...blob };
  refreshPic(chip, fx);
}

/** KVM_GET_IRQCHIP of the IOAPIC. Edges already delivered do not count as asserted. */
export function getIoapic(chip: IrqchipState): IoapicBlob {
  const io = chip.ioapic;
  return {
    baseAddress: IOAPIC_BASE,
    ioregsel: io.ioregsel,
    id: io.id,
    irr: (io.irr & ~io.irrDelivered) >>> 0,
    redirtbl: io.redirLow.map((low, pin) => entryBits(low, io.redirHigh[pin])),
  };
}

/** KVM_SET_IRQCHIP of the IOAPIC: asserted inputs are delivered anew. */
export function setIoapic(chip: IrqchipState, blob: IoapicBlob, fx: IrqEffects): void {
  const io = chip.ioapic;
  io.ioregsel = blob.ioregsel;
  io.id = blob.id;
  io.redirLow = blob.redirtbl.map((e) => Number(BigInt.asUintN(32, e)));
  io.redirHigh = blob.redirtbl.map((e) => Number(BigInt.asUintN(32, e >> 32n)));
  io.irr = 0;
  io.irrDelivered = 0;
  scanIoapic(chip);
  injectAsserted(chip, blob.irr, fx);
}

function putVectors(view: DataView, offset: number, words: readonly number[]): void {
  for (let i = 0; i < 8; i++) view.setInt32(offset + i * 16, words[i], true);
}

function takeVectors(view: DataView, offset: number, words: number[]): void {
  for (let i = 0; i < 8; i++) words[i] = view.getInt32(offset + i * 16, true);
}

/** Registers of one word each, in both directions. */
const WORDS = [
  [APIC_TPR, 'tpr'],
  [APIC_LDR, 'ldr'],
  [APIC_DFR, 'dfr'],
  [APIC_SVR, 'svr'],
  [APIC_ICR, 'icrLow'],
  [APIC_ICR2, 'icrHigh'],
  [APIC_INITIAL_COUNT, 'initialCount'],
  [APIC_DIVIDE, 'divideConfig'],
] as const satisfies readonly (readonly [number, keyof LapicState])[];

/** KVM_GET_LAPIC: the register page. The id stands in bits 31:24 in x2APIC mode too. */
export function getLapic(chip: IrqchipState, vcpu: number, fx: IrqEffects): Uint8Array {
  const l = chip.lapics[vcpu];
  const page = new Uint8Array(LAPIC_BLOB_SIZE);
  const view = new DataView(page.buffer);
  const put = (offset: number, value: number): void => view.setUint32(offset, value, true);
  put(APIC_ID, isX2apic(l) ? l.id << 24 : l.id);
  put(APIC_VERSION, APIC_VERSION_VALUE);
  put(APIC_PPR, processorPriority(l));
  put(APIC_CURRENT_COUNT, currentCount(l, fx.now()));
  for (const [offset, name] of WORDS) put(offset, l[name]);
  for (let i = 0; i < l.lvt.length; i++) put(APIC_LVT_TIMER + i * 16, l.lvt[i]);
  putVectors(view, APIC_ISR, l.isr);
  putVectors(view, APIC_TMR, l.tmr);
  putVectors(view, APIC_IRR, l.irr);
  return page;
}

/** KVM_SET_LAPIC: all registers at once; the timer runs on from the current count. */
export function setLapic(chip: IrqchipState, vcpu: number, page: Uint8Array, fx: IrqEffects): void {
  const l = chip.lapics[vcpu];
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const take = (offset: number): number => view.getUint32(offset, true);
  for (const [offset, name] of WORDS) l[name] = take(offset);
  l.id = isX2apic(l) ? vcpu : take(APIC_ID);
  if (isX2apic(l)) l.ldr = x2apicLogicalId(vcpu);
  for (let i = 0; i < l.lvt.length; i++) l.lvt[i] = take(APIC_LVT_TIMER + i * 16);
  takeVectors(view, APIC_ISR, l.isr);
  takeVectors(view, APIC_TMR, l.tmr);
  takeVectors(view, APIC_IRR, l.irr);
  l.isrCache = -1;
  restoreTimer(l, fx, take(APIC_CURRENT_COUNT));
  restoreRtcTracking(chip, l);
  scanIoapic(chip);
  if (deliverableVector(l) >= 0) fx.kick(vcpu);
}
