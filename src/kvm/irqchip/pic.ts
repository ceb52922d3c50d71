/**
 * The cascaded 8259A pair as KVM emulates it (Intel 8259A data sheet; ELCR at 4D0h/4D1h from the
 * PIIX data sheet). Single mode and the level bit of ICW1 do not exist, as in KVM.
 */
import { chipOf, type KvmContext } from '../context.ts';
import { acceptsPic } from './lapic.ts';
import { ackPin } from './notifiers.ts';
import type { IrqchipState, PicChip, PicState } from './state.ts';

/** Master pin the slave's INTR is wired to. */
export const CASCADE = 2;

/** What a level does to an input: 1 latched, 0 coalesced, -1 masked. */
function outcome(c: PicChip, pin: number, level: boolean): number {
  const bit = 1 << pin;
  if ((c.imr & bit) !== 0) return -1;
  const isNew = (c.elcr & bit) !== 0 || (c.lastIrr & bit) === 0;
  return level && isNew && (c.irr & bit) !== 0 ? 0 : 1;
}

/** Priority (0 highest) of the best request in `mask`; 8: none. */
function priority(c: PicChip, mask: number): number {
  if (mask === 0) return 8;
  let p = 0;
  while ((mask & (1 << ((p + c.priorityAdd) & 7))) === 0) p++;
  return p;
}

/** The request this chip wants served now, or -1. */
export function wanted(pic: PicState, index: number): number {
  const c = pic.chips[index]!;
  const best = priority(c, c.irr & ~c.imr);
  if (best === 8) return -1;
  // In special fully nested mode the slave's own in-service interrupt does not block the slave.
  const serving = c.specialFullyNested !== 0 && index === 0 ? c.isr & ~(1 << CASCADE) : c.isr;
  return best < priority(c, serving) ? (best + c.priorityAdd) & 7 : -1;
}

/** Input 0..15 was moved by one of its sources: kvm_set_irq has told. Returns 1 latched, 0 coalesced, -1 masked. */
export function setPicIrq(kvm: KvmContext, irq: number): number {
  const { pic } = chipOf(kvm);
  const c = pic.chips[irq >> 3]!;
  const result = outcome(c, irq & 7, pic.irqStates[irq] !== 0);
  const { elcr, imr } = c;
  kvm.raise({ kind: 'kvm_pic_set_irq', chip: irq >> 3, pin: irq & 7, elcr, imr, coalesced: result === 0 });
  return result;
}

/** kvm_clear_interrupt: the end of interrupt, told to whoever listens to the pin. */
const acknowledged = (kvm: KvmContext, index: number, irq: number): void => ackPin(kvm, index, irq + index * 8);

/** INTR follows what the acknowledgements left. */
function refreshOutput(kvm: KvmContext): void {
  kvm.raise({ kind: 'sim:pic_intr' });
}

/** The vector an INTA cycle would give now, without giving it: 7 of a chip when spurious. */
export function peekPic(pic: PicState): number {
  const irq = wanted(pic, 0);
  if (irq !== CASCADE) return pic.chips[0].irqBase + (irq < 0 ? 7 : irq);
  const slave = wanted(pic, 1);
  return pic.chips[1].irqBase + (slave < 0 ? 7 : slave);
}

/** The inputs an INTA cycle takes into service now, -1 for none. */
export function picTaken(pic: PicState): { readonly master: number; readonly slave: number } {
  const master = wanted(pic, 0);
  return { master, slave: master === CASCADE ? wanted(pic, 1) : -1 };
}

/** The INTA cycle: take the interrupt into service and return its vector. */
export function acknowledgePic(kvm: KvmContext, vcpu: number): number {
  const { pic } = chipOf(kvm);
  const vector = peekPic(pic);
  const { master, slave } = picTaken(pic);
  const ends = [master, slave].map((irq, index) => irq >= 0 && pic.chips[index]!.autoEoi !== 0);
  kvm.raise({ kind: 'sim:intack', vcpu_id: vcpu, irqchip: 0, vector });
  if (ends[0]) acknowledged(kvm, 0, master);
  if (ends[1]) acknowledged(kvm, 1, slave);
  if (ends[0] || ends[1]) refreshOutput(kvm);
  return vector;
}

/** What an ICW1 ends: edges that wait, if a processor takes interrupts of the PICs. */
const edgesEnded = (chip: IrqchipState, index: number): number => {
  const c = chip.pic.chips[index]!;
  return chip.lapics.some(acceptsPic) ? c.irr & ~c.elcr : 0;
};

/** The interrupt an OCW2 ends, or -1. Commands: 1 and 5 the highest in service, 3 and 7 the one named. */
export function endedBy(c: PicChip, value: number): number {
  const command = value >> 5;
  if (command === 3 || command === 7) return value & 7;
  if (command !== 1 && command !== 5) return -1;
  const best = priority(c, c.isr);
  return best === 8 ? -1 : (best + c.priorityAdd) & 7;
}

/** A byte written to port 20h, 21h, A0h, A1h, 4D0h or 4D1h. */
export function picWrite(kvm: KvmContext, port: number, data: number): void {
  const value = data & 0xff;
  const chip = chipOf(kvm);
  const isCommand = port < 0x4d0 && (port & 1) === 0;
  const index = port >> 7;
  const edges = isCommand && (value & 0x10) !== 0 ? edgesEnded(chip, index) : 0;
  const ended = isCommand && (value & 0x18) === 0 ? endedBy(chip.pic.chips[index]!, value) : -1;
  kvm.raise({ kind: 'sim:pic_write', port, val: value });
  for (let irq = 0; irq < 8; irq++) {
    if ((edges & (1 << irq)) !== 0) acknowledged(kvm, index, irq);
  }
  if (ended < 0) return;
  acknowledged(kvm, index, ended);
  refreshOutput(kvm);
}

/** Poll mode: the read takes the place of INTA, and KVM ends the interrupt at once. */
function poll(kvm: KvmContext, port: number): number {
  const index = port >> 7;
  const irq = wanted(chipOf(kvm).pic, index);
  kvm.raise({ kind: 'sim:pic_poll', port, irq });
  if (irq >= 0) acknowledged(kvm, index, irq);
  if (irq < 0 || index === 1 || irq !== CASCADE) refreshOutput(kvm);
  return irq < 0 ? 7 : irq;
}

/** A byte read from port 20h, 21h, A0h, A1h, 4D0h or 4D1h. */
export function picRead(kvm: KvmContext, port: number): number {
  const { chips } = chipOf(kvm).pic;
  if (port >= 0x4d0) return chips[port & 1]!.elcr;
  const c = chips[port >> 7]!;
  if (c.poll !== 0) return poll(kvm, port);
  if ((port & 1) !== 0) return c.imr;
  return c.readRegSelect !== 0 ? c.isr : c.irr;
}
