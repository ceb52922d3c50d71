/** What facts do to the pair of 8259As. */
import type { Draft } from '../../base/draft.ts';
import { putAt } from '../../base/places.ts';
import type { Seq } from '../../base/units.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { REQ_EVENT } from '../context.ts';
import { acceptsPic } from '../irqchip/lapic.ts';
import { CASCADE, endedBy, picTaken, wanted } from '../irqchip/pic.ts';
import { type PicRegisters, unpackPic } from '../ioctl/structs.ts';
import type { KvmState } from '../state.ts';
import type { PicChip } from '../irqchip/state.ts';
import { resetReinject } from './pit.ts';
import { makeRequest } from './requests.ts';

type Kvm = Draft<KvmState>;
type Chip = Draft<PicChip>;

const chipOf = (kvm: Kvm) => kvm.vm!.irqchip!;

/** One input changes level. */
function setPin(c: Chip, pin: number, level: boolean, cause: Seq): void {
  const bit = 1 << pin;
  const isLevel = (c.elcr & bit) !== 0;
  if (!level) {
    c.lastIrr &= ~bit;
    if (isLevel) drop(c, pin);
    return;
  }
  if (isLevel || (c.lastIrr & bit) === 0) latch(c, pin, cause);
  c.lastIrr |= bit;
}

/** A request that waits already keeps its first cause. */
function latch(c: Chip, pin: number, cause: Seq): void {
  if ((c.irr & (1 << pin)) === 0) putAt(c.causes, pin, cause);
  c.irr |= 1 << pin;
}

function drop(c: Chip, pin: number): void {
  c.irr &= ~(1 << pin);
  putAt(c.causes, pin, NONE);
}

/** pic_update_irq: the slave's request reaches the master, the master's a processor. */
function updateOutput(kvm: Kvm, cause: Seq): void {
  const { pic, lapics } = chipOf(kvm);
  const slave = wanted(pic, 1);
  if (slave >= 0) {
    setPin(pic.chips[0], CASCADE, true, pic.chips[1].causes[slave]!);
    setPin(pic.chips[0], CASCADE, false, NONE);
  }
  const before = pic.output;
  pic.output = wanted(pic, 0) >= 0;
  if (before || !pic.output) return;
  const taker = lapics.find(acceptsPic);
  if (taker !== undefined) makeRequest(kvm.vcpus[taker.vcpu]!, REQ_EVENT, cause);
}

/** kvm_pic_set_irq: the input stands as its sources drive it. */
export function lineMoved(kvm: Kvm, { chip, pin }: EventOf<'kvm_pic_set_irq'>, { seq, cause }: Stamped): void {
  const { pic } = chipOf(kvm);
  setPin(pic.chips[chip]!, pin, pic.irqStates[chip * 8 + pin] !== 0, cause ?? seq);
  updateOutput(kvm, cause ?? seq);
}

/** kvm_pic_set_irq that leaves everything as it is: the input stands so already, and INTR follows from it. */
export function isSettled(kvm: KvmState, { chip, pin }: EventOf<'kvm_pic_set_irq'>): boolean {
  const { pic } = kvm.vm!.irqchip!;
  const c = pic.chips[chip]!;
  const bit = 1 << pin;
  const level = pic.irqStates[chip * 8 + pin] !== 0;
  if (((c.lastIrr & bit) !== 0) !== level) return false;
  if ((c.elcr & bit) !== 0 && ((c.irr & bit) !== 0) !== level) return false;
  if (wanted(pic, 1) >= 0 && !isCascaded(pic.chips[0])) return false;
  return pic.output === wanted(pic, 0) >= 0;
}

/** The slave's request, a pulse, would leave the master as it is: latched, or where the input is a level gone again. */
function isCascaded({ lastIrr, irr, elcr, causes }: PicChip): boolean {
  const bit = 1 << CASCADE;
  if ((lastIrr & bit) !== 0) return false;
  return (elcr & bit) === 0 ? (irr & bit) !== 0 : (irr & bit) === 0 && causes[CASCADE] === NONE;
}

/** What requested the interrupt an INTA cycle would take now. */
export function causeOfNext(kvm: Kvm): number {
  const { pic } = chipOf(kvm);
  const { master, slave } = picTaken(pic);
  if (slave >= 0) return pic.chips[1].causes[slave]!;
  return master < 0 ? NONE : pic.chips[0].causes[master]!;
}

/** An INTA cycle. */
export function taken(kvm: Kvm, seq: Seq): void {
  const { pic } = chipOf(kvm);
  pic.output = false;
  const { master, slave } = picTaken(pic);
  const ends = [master, slave].map((irq, index) => irq >= 0 && takeIntoService(pic.chips[index]!, irq));
  if (!ends.includes(true)) updateOutput(kvm, seq);
}

/** Whether the chip ends the interrupt by itself. */
function takeIntoService(c: Chip, irq: number): boolean {
  c.isr |= 1 << irq;
  if ((c.elcr & (1 << irq)) === 0) drop(c, irq);
  if (c.autoEoi === 0) return false;
  if (c.rotateOnAutoEoi !== 0) c.priorityAdd = (irq + 1) & 7;
  return true;
}

/** kvm_ack_irq of a PIC: the interrupt is out of service. `pin`: 0..15 over both. */
export function ended(kvm: Kvm, irqchip: number, pin: number): void {
  chipOf(kvm).pic.chips[irqchip]!.isr &= ~(1 << (pin & 7));
}

/** sim:pic_intr. */
export function intrRefreshed(kvm: Kvm, _event: EventOf<'sim:pic_intr'>, { seq }: Stamped): void {
  updateOutput(kvm, seq);
}

/** sim:pic_poll. */
export function polled(kvm: Kvm, { port, irq }: EventOf<'sim:pic_poll'>): void {
  const { chips } = chipOf(kvm).pic;
  const index = port >> 7;
  chips[index]!.poll = 0;
  if (irq < 0) return;
  if (index === 1) {
    chips[0].isr &= ~(1 << CASCADE);
    drop(chips[0], CASCADE);
  }
  drop(chips[index]!, irq);
}

/** sim:pic_write. Ends of interrupts follow as facts of their own. */
export function written(kvm: Kvm, { port, val }: EventOf<'sim:pic_write'>, { seq }: Stamped): void {
  const { chips } = chipOf(kvm).pic;
  if (port >= 0x4d0) {
    const c = chips[port & 1]!;
    c.elcr = val & c.elcrMask;
  } else if ((port & 1) !== 0) writeData(kvm, port >> 7, val, seq);
  else if ((val & 0x10) !== 0) initialize(kvm, port >> 7, val);
  else if ((val & 0x08) !== 0) writeOcw3(chips[port >> 7]!, val);
  else writeOcw2(kvm, port >> 7, val, seq);
}

function initialize(kvm: Kvm, index: number, icw1: number): void {
  const chip = chipOf(kvm);
  const c = chip.pic.chips[index]!;
  c.init4 = icw1 & 1;
  c.lastIrr = 0;
  for (let pin = 0; pin < 8; pin += 1) if ((c.elcr & (1 << pin)) === 0) drop(c, pin);
  c.imr = 0;
  c.priorityAdd = 0;
  c.specialMask = 0;
  c.readRegSelect = 0;
  if (c.init4 === 0) {
    c.specialFullyNested = 0;
    c.autoEoi = 0;
  }
  c.initState = 1;
}

/** KVM keeps the special mask bit but serves interrupts the same with it. */
function writeOcw3(c: Chip, value: number): void {
  if ((value & 0x04) !== 0) c.poll = 1;
  if ((value & 0x02) !== 0) c.readRegSelect = value & 1;
  if ((value & 0x40) !== 0) c.specialMask = (value >> 5) & 1;
}

function writeOcw2(kvm: Kvm, index: number, value: number, seq: Seq): void {
  const c = chipOf(kvm).pic.chips[index]!;
  const command = value >> 5;
  if (command === 0 || command === 4) c.rotateOnAutoEoi = command >> 2;
  if (command === 6) {
    c.priorityAdd = ((value & 7) + 1) & 7;
    updateOutput(kvm, seq);
  }
  if (command !== 5 && command !== 7) return;
  const irq = endedBy(c, value);
  if (irq >= 0) c.priorityAdd = (irq + 1) & 7;
}

function writeData(kvm: Kvm, index: number, value: number, seq: Seq): void {
  const c = chipOf(kvm).pic.chips[index]!;
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
      writeMask(kvm, index, value, seq);
  }
}

function writeMask(kvm: Kvm, index: number, value: number, seq: Seq): void {
  const chip = chipOf(kvm);
  const c = chip.pic.chips[index]!;
  const unmasked = c.imr & ~value;
  c.imr = value;
  for (let irq = 0; irq < 8; irq++) {
    if ((unmasked & (1 << irq)) !== 0) resetReinject(chip, index, irq + index * 8);
  }
  updateOutput(kvm, seq);
}

/** KVM_SET_IRQCHIP of the chip `index`. */
export function restored(kvm: Kvm, index: number, state: Uint8Array, seq: Seq): void {
  const registers: PicRegisters = unpackPic(state);
  const causes = Array.from({ length: 8 }, (_, pin) => ((registers.irr & (1 << pin)) === 0 ? NONE : seq));
  putAt(chipOf(kvm).pic.chips, index, { ...registers, causes });
  updateOutput(kvm, seq);
}
