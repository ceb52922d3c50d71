/**
 * The cascaded 8259A pair as KVM emulates it (Intel 8259A data sheet; ELCR at 4D0h/4D1h from the
 * PIIX data sheet). Single mode and the level bit of ICW1 do not exist, as in KVM.
 */
import type { IrqEffects } from './effects.ts';
import { acceptsPic } from './lapic.ts';
import { ackPin, maskChanged } from './notifiers.ts';
import type { IrqchipState, PicChip, PicState } from './state.ts';

/** Master pin the slave's INTR is wired to. */
const CASCADE = 2;

/** One input changes level. Returns 1 latched, 0 coalesced, -1 masked. */
function setPin(c: PicChip, pin: number, level: boolean): number {
  const bit = 1 << pin;
  let latched = 1;
  if ((c.elcr & bit) !== 0) {
    if (level) {
      latched = (c.irr & bit) === 0 ? 1 : 0;
      c.irr |= bit;
      c.lastIrr |= bit;
    } else {
      c.irr &= ~bit;
      c.lastIrr &= ~bit;
    }
  } else if (level) {
    if ((c.lastIrr & bit) === 0) {
      latched = (c.irr & bit) === 0 ? 1 : 0;
      c.irr |= bit;
    }
    c.lastIrr |= bit;
  } else {
    c.lastIrr &= ~bit;
  }
  return (c.imr & bit) !== 0 ? -1 : latched;
}

/** Priority (0 highest) of the best request in `mask`; 8: none. */
function priority(c: PicChip, mask: number): number {
  if (mask === 0) return 8;
  let p = 0;
  while ((mask & (1 << ((p + c.priorityAdd) & 7))) === 0) p++;
  return p;
}

/** The request this chip wants served now, or -1. */
function wanted(pic: PicState, index: number): number {
  const c = pic.chips[index];
  const best = priority(c, c.irr & ~c.imr);
  if (best === 8) return -1;
  // In special fully nested mode the slave's own in-service interrupt does not block the slave.
  const serving = c.specialFullyNested !== 0 && index === 0 ? c.isr & ~(1 << CASCADE) : c.isr;
  return best < priority(c, serving) ? (best + c.priorityAdd) & 7 : -1;
}

function updateOutput(chip: IrqchipState, fx: IrqEffects): void {
  const { pic } = chip;
  if (wanted(pic, 1) >= 0) {
    setPin(pic.chips[0], CASCADE, true);
    setPin(pic.chips[0], CASCADE, false);
  }
  const before = pic.output;
  pic.output = wanted(pic, 0) >= 0;
  if (before || !pic.output) return;
  const taker = chip.lapics.find(acceptsPic);
  if (taker !== undefined) fx.kick(taker.vcpu);
}

function clearInService(chip: IrqchipState, index: number, irq: number, fx: IrqEffects): void {
  chip.pic.chips[index].isr &= ~(1 << irq);
  ackPin(chip, index, irq + index * 8, fx);
}

/** Move input 0..15 for one source. Returns 1 latched, 0 coalesced, -1 masked. */
export function setPicIrq(chip: IrqchipState, irq: number, source: number, level: boolean, fx: IrqEffects): number {
  const { pic } = chip;
  const bit = 1 << source;
  pic.irqStates[irq] = level ? pic.irqStates[irq] | bit : pic.irqStates[irq] & ~bit;
  const c = pic.chips[irq >> 3];
  const result = setPin(c, irq & 7, pic.irqStates[irq] !== 0);
  updateOutput(chip, fx);
  const { elcr, imr } = c;
  fx.raise({ kind: 'kvm_pic_set_irq', chip: irq >> 3, pin: irq & 7, elcr, imr, coalesced: result === 0 });
  return result;
}

function acknowledge(chip: IrqchipState, index: number, irq: number, fx: IrqEffects): void {
  const c = chip.pic.chips[index];
  const bit = 1 << irq;
  c.isr |= bit;
  if ((c.elcr & bit) === 0) c.irr &= ~bit;
  if (c.autoEoi === 0) return;
  if (c.rotateOnAutoEoi !== 0) c.priorityAdd = (irq + 1) & 7;
  clearInService(chip, index, irq, fx);
}

/** The vector an INTA cycle would give now, without giving it. */
export function peekPic(pic: PicState): number {
  const irq = wanted(pic, 0);
  if (irq !== CASCADE) return pic.chips[0].irqBase + (irq < 0 ? 7 : irq);
  const slave = wanted(pic, 1);
  return pic.chips[1].irqBase + (slave < 0 ? 7 : slave);
}

/** The INTA cycle: take the interrupt into service and return its vector (7 of a chip when spurious). */
export function acknowledgePic(chip: IrqchipState, fx: IrqEffects): number {
  const { pic } = chip;
  pic.output = false;
  const vector = peekPic(pic);
  const irq = wanted(pic, 0);
  if (irq >= 0) acknowledge(chip, 0, irq, fx);
  if (irq === CASCADE) {
    const slave = wanted(pic, 1);
    if (slave >= 0) acknowledge(chip, 1, slave, fx);
  }
  updateOutput(chip, fx);
  return vector;
}

function initialize(chip: IrqchipState, index: number, icw1: number, fx: IrqEffects): void {
  const c = chip.pic.chips[index];
  const edges = c.irr & ~c.elcr;
  c.init4 = icw1 & 1;
  c.lastIrr = 0;
  c.irr &= c.elcr;
  c.imr = 0;
  c.priorityAdd = 0;
  c.specialMask = 0;
  c.readRegSelect = 0;
  if (c.init4 === 0) {
    c.specialFullyNested = 0;
    c.autoEoi = 0;
  }
  c.initState = 1;
  if (edges === 0 || !chip.lapics.some(acceptsPic)) return;
  for (let irq = 0; irq < 8; irq++) {
    if ((edges & (1 << irq)) !== 0) clearInService(chip, index, irq, fx);
  }
}

function writeOcw2(chip: IrqchipState, index: number, value: number, fx: IrqEffects): void {
  const c = chip.pic.chips[index];
  const command = value >> 5;
  let irq = value & 7;
  switch (command) {
    case 0:
    case 4:
      c.rotateOnAutoEoi = command >> 2;
      return;
    case 2:
      return;
    case 6:
      c.priorityAdd = (irq + 1) & 7;
      updateOutput(chip, fx);
      return;
    case 1:
    case 5: {
      const best = priority(c, c.isr);
      if (best === 8) return;
      irq = (best + c.priorityAdd) & 7;
      break;
    }
  }
  if (command >= 5) c.priorityAdd = (irq + 1) & 7;
  clearInService(chip, index, irq, fx);
  updateOutput(chip, fx);
}

function writeCommand(chip: IrqchipState, index: number, value: number, fx: IrqEffects): void {
  if ((value & 0x10) !== 0) initialize(chip, index, value, fx);
  else if ((value & 0x08) !== 0) writeOcw3(chip.pic.chips[index], value);
  else writeOcw2(chip, index, value, fx);
}

/** KVM keeps the special mask bit but serves interrupts the same with it. */
function writeOcw3(c: PicChip, value: number): void {
  if ((value & 0x04) !== 0) c.poll = 1;
  if ((value & 0x02) !== 0) c.readRegSelect = value & 1;
  if ((value & 0x40) !== 0) c.specialMask = (value >> 5) & 1;
}

function writeMask(chip: IrqchipState, index: number, value: number, fx: IrqEffects): void {
  const c = chip.pic.chips[index];
  const changed = c.imr ^ value;
  c.imr = value;
  for (let irq = 0; irq < 8; irq++) {
    if ((changed & (1 << irq)) !== 0) maskChanged(chip, index, irq + index * 8, (value & (1 << irq)) !== 0);
  }
  updateOutput(chip, fx);
}

function writeData(chip: IrqchipState, index: number, value: number, fx: IrqEffects): void {
  const c = chip.pic.chips[index];
  switch (c.initState) {
    case 1:
      c.irqBase = value & 0xf8;
      c.initState = 2;
      return;
    case 2:
      c.initState = c.init4 !== 0 ? 3 : 0;
      return;
    case 3:
      c.specialFullyNested = (value >> 4) & 1;
      c.autoEoi = (value >> 1) & 1;
      c.initState = 0;
      return;
    default:
      writeMask(chip, index, value, fx);
  }
}

/** A byte written to port 20h, 21h, A0h, A1h, 4D0h or 4D1h. */
export function picWrite(chip: IrqchipState, port: number, data: number, fx: IrqEffects): void {
  const value = data & 0xff;
  if (port >= 0x4d0) {
    const c = chip.pic.chips[port & 1];
    c.elcr = value & c.elcrMask;
  } else if ((port & 1) === 0) writeCommand(chip, port >> 7, value, fx);
  else writeData(chip, port >> 7, value, fx);
}

/** Poll mode: the read takes the place of INTA, and KVM ends the interrupt at once. */
function poll(chip: IrqchipState, index: number, fx: IrqEffects): number {
  const { pic } = chip;
  const c = pic.chips[index];
  const irq = wanted(pic, index);
  if (irq < 0) {
    updateOutput(chip, fx);
    return 7;
  }
  if (index === 1) {
    pic.chips[0].isr &= ~(1 << CASCADE);
    pic.chips[0].irr &= ~(1 << CASCADE);
  }
  c.irr &= ~(1 << irq);
  clearInService(chip, index, irq, fx);
  if (index === 1 || irq !== CASCADE) updateOutput(chip, fx);
  return irq;
}

/** A byte read from port 20h, 21h, A0h, A1h, 4D0h or 4D1h. */
export function picRead(chip: IrqchipState, port: number, fx: IrqEffects): number {
  if (port >= 0x4d0) return chip.pic.chips[port & 1].elcr;
  const index = port >> 7;
  const c = chip.pic.chips[index];
  if (c.poll !== 0) {
    c.poll = 0;
    return poll(chip, index, fx);
  }
  if ((port & 1) !== 0) return c.imr;
  return c.readRegSelect !== 0 ? c.isr : c.irr;
}

/** After the state was set from outside (KVM_SET_IRQCHIP). */
export const refreshPic = updateOutput;
