import type { EventOf } from '../../../src/events/vocabulary.ts';
import type { Mover } from './lines.ts';

interface Chip {
  /** ICW2: vector of input 0. */
  base: number;
  awaitsBase: boolean;
  /** Inputs that are level-triggered: ELCR. */
  elcr: number;
  /** Inputs that were high when they were looked at last. */
  high: number;
  /** What requested each input that waits to be acknowledged. */
  readonly waiting: Map<number, Mover>;
}

const newChip = (): Chip => ({ base: 0, awaitsBase: false, elcr: 0, high: 0, waiting: new Map() });

/** Inputs that can be level-triggered: not timer, keyboard, cascade, clock and FPU. */
const ELCR_MASKS = [0xf8, 0xde];

/** struct kvm_pic_state. */
const PIC_STATE = { lastIrr: 0, irr: 1, base: 5, elcr: 14 } as const;

const INPUTS = [0, 1, 2, 3, 4, 5, 6, 7];

/** What the two 8259As know of who requested what: Intel 8259A data sheet, edge and level triggered modes. */
export class PicRequests {
  private readonly chips: readonly [Chip, Chip] = [newChip(), newChip()];

  /** kvm_pic_set_irq: the input was looked at, and stands so. */
  look({ chip: index, pin }: EventOf<'kvm_pic_set_irq'>, isHigh: boolean, mover: Mover): void {
    const chip = this.chips[index]!;
    const bit = 1 << pin;
    const isLevel = (chip.elcr & bit) !== 0;
    const rises = isHigh && (isLevel || (chip.high & bit) === 0);
    chip.high = isHigh ? chip.high | bit : chip.high & ~bit;
    if (rises && !chip.waiting.has(pin)) chip.waiting.set(pin, mover);
    if (!isHigh && isLevel) chip.waiting.delete(pin);
  }

  /** sim:pic_write: what initialization and ELCR change. */
  write({ port, val }: EventOf<'sim:pic_write'>): void {
    if (port >= 0x4d0) {
      this.chips[port & 1]!.elcr = val & ELCR_MASKS[port & 1]!;
      return;
    }
    const chip = this.chips[port >> 7]!;
    if ((port & 1) !== 0) {
      if (chip.awaitsBase) chip.base = val & 0xf8;
      chip.awaitsBase = false;
    } else if ((val & 0x10) !== 0) {
      chip.awaitsBase = true;
      chip.high = 0;
      for (const pin of INPUTS) if ((chip.elcr & (1 << pin)) === 0) chip.waiting.delete(pin);
    }
  }

  /** sim:pic_poll: the read takes the place of an acknowledgement. */
  poll({ port, irq }: EventOf<'sim:pic_poll'>): void {
    if (irq >= 0) this.chips[port >> 7]!.waiting.delete(irq);
  }

  /** An INTA cycle gave this vector. Returns who had requested it; undefined: nobody, it is spurious. */
  acknowledge(vector: number): Mover | undefined {
    const chip = this.chips.find(({ base }) => base === (vector & 0xf8));
    const mover = chip?.waiting.get(vector & 7);
    // A level is requested for as long as it stands.
    if (chip !== undefined && (chip.elcr & (1 << (vector & 7))) === 0) chip.waiting.delete(vector & 7);
    return mover;
  }

  /** KVM_SET_IRQCHIP. */
  restore({ chip_id: index, state }: EventOf<'ioctl:KVM_SET_IRQCHIP'>, mover: Mover): void {
    const chip = this.chips[index];
    if (chip === undefined) return;
    chip.high = state[PIC_STATE.lastIrr]!;
    chip.base = state[PIC_STATE.base]!;
    chip.elcr = state[PIC_STATE.elcr]!;
    chip.waiting.clear();
    for (const pin of INPUTS) if ((state[PIC_STATE.irr]! & (1 << pin)) !== 0) chip.waiting.set(pin, mover);
  }
}
