/** KVM_GET/SET_IRQCHIP and KVM_GET/SET_LAPIC: Linux arch/x86/include/uapi/asm/kvm.h. */
import type { Ns } from '../../base/units.ts';
import type { KvmContext } from '../context.ts';
import { type IoapicRegisters, packIoapic, packPic, type PicRegisters } from '../ioctl/structs.ts';
import { injectAsserted, IOAPIC_BASE } from './ioapic.ts';
import { isX2apic, processorPriority } from './lapic.ts';
import {
  APIC_CURRENT_COUNT,
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
  APIC_LVT_TIMER,
  APIC_PPR,
  APIC_SVR,
  APIC_TMR,
  APIC_TPR,
  APIC_VERSION,
  APIC_VERSION_VALUE,
} from './lapic-registers.ts';
import { currentCount, startTimer } from './lapic-timer.ts';
import { IOAPIC, type IrqchipState, type LapicState } from './state.ts';
import { entryBits } from './trace.ts';

/** KVM_APIC_REG_SIZE. */
const LAPIC_BLOB_SIZE = 0x400;

/** KVM_GET_IRQCHIP of the PIC `index` (0 master, 1 slave): struct kvm_pic_state. */
export function getPic(chip: IrqchipState, index: number): PicRegisters {
  const { causes, ...registers } = chip.pic.chips[index]!;
  return registers;
}

/** KVM_SET_IRQCHIP of a PIC. */
export function setPic(kvm: KvmContext, index: number, registers: PicRegisters): void {
  kvm.raise({ kind: 'ioctl:KVM_SET_IRQCHIP', chip_id: index, state: packPic(registers) });
}

/** KVM_GET_IRQCHIP of the IOAPIC. Edges already delivered do not count as asserted. */
export function getIoapic({ ioapic: io }: IrqchipState): IoapicRegisters {
  return {
    baseAddress: IOAPIC_BASE,
    ioregsel: io.ioregsel,
    id: io.id,
    irr: (io.irr & ~io.irrDelivered) >>> 0,
    redirtbl: io.redirLow.map((low, pin) => entryBits(low, io.redirHigh[pin]!)),
  };
}

/** KVM_SET_IRQCHIP of the IOAPIC: asserted inputs are delivered anew. */
export function setIoapic(kvm: KvmContext, registers: IoapicRegisters): void {
  const seq = kvm.raise({ kind: 'ioctl:KVM_SET_IRQCHIP', chip_id: IOAPIC, state: packIoapic(registers) });
  injectAsserted(kvm.after(seq), registers.irr);
}

function putVectors(view: DataView, offset: number, words: readonly number[]): void {
  for (let i = 0; i < 8; i++) view.setInt32(offset + i * 16, words[i]!, true);
}

/** Registers of one word each, in both directions. */
export const WORDS = [
  [APIC_TPR, 'tpr'],
  [APIC_LDR, 'ldr'],
  [APIC_DFR, 'dfr'],
  [APIC_SVR, 'svr'],
  [APIC_ICR, 'icrLow'],
  [APIC_ICR2, 'icrHigh'],
  [APIC_INITIAL_COUNT, 'initialCount'],
  [APIC_DIVIDE, 'divideConfig'],
  [APIC_ESR, 'esr'],
] as const satisfies readonly (readonly [number, keyof LapicState])[];

/** KVM_GET_LAPIC: the register page. The id stands in bits 31:24 in x2APIC mode too. */
export function getLapic(l: LapicState, now: Ns): Uint8Array {
  const page = new Uint8Array(LAPIC_BLOB_SIZE);
  const view = new DataView(page.buffer);
  const put = (offset: number, value: number): void => view.setUint32(offset, value, true);
  put(APIC_ID, isX2apic(l) ? l.id << 24 : l.id);
  put(APIC_VERSION, APIC_VERSION_VALUE);
  put(APIC_PPR, processorPriority(l));
  put(APIC_CURRENT_COUNT, currentCount(l, now));
  for (const [offset, name] of WORDS) put(offset, l[name]);
  for (let i = 0; i < l.lvt.length; i++) put(APIC_LVT_TIMER + i * 16, l.lvt[i]!);
  putVectors(view, APIC_ISR, l.isr);
  putVectors(view, APIC_TMR, l.tmr);
  putVectors(view, APIC_IRR, l.irr);
  return page;
}

/** KVM_SET_LAPIC: all registers at once; the timer runs on from the current count. */
export function setLapic(kvm: KvmContext, vcpu: number, page: Uint8Array): void {
  const seq = kvm.raise({ kind: 'ioctl:KVM_SET_LAPIC', vcpu_id: vcpu, regs: page });
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  startTimer(kvm.after(seq), vcpu, view.getUint32(APIC_CURRENT_COUNT, true));
}
