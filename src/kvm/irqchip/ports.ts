/** The kernel's own I/O ports: PIC, ELCR, PIT and, if asked for, the speaker port. */
import { pitRead, pitWrite, speakerRead, speakerWrite } from '../pit.ts';
import type { IrqEffects } from './effects.ts';
import { picRead, picWrite } from './pic.ts';
import type { IrqchipState } from './state.ts';

/** Whether a whole access of `size` bytes at `port` falls on the PIC pair or the ELCRs. */
function isPic(port: number, size: number): boolean {
  const first = port & ~1;
  return (first === 0x20 || first === 0xa0 || first === 0x4d0) && port + size <= first + 2;
}

const isPit = (chip: IrqchipState, port: number, size: number): boolean =>
  chip.pit !== undefined && port >= 0x40 && port + size <= 0x44;

const isSpeaker = (chip: IrqchipState, port: number, size: number): boolean =>
  chip.pit?.speaker === true && port === 0x61 && size <= 4;

/** An IN the kernel answers itself; undefined: not ours, user space must. */
export function irqchipPortRead(chip: IrqchipState, port: number, size: number, fx: IrqEffects): number | undefined {
  // The PIC takes byte accesses only: wider ones read zero.
  if (isPic(port, size)) return size === 1 ? picRead(chip, port, fx) : 0;
  if (isPit(chip, port, size)) return pitRead(chip.pit!, port - 0x40, fx.now());
  if (isSpeaker(chip, port, size)) return speakerRead(chip.pit!, fx.now());
  return undefined;
}

/** An OUT the kernel handles itself. False: not ours, user space must. */
export function irqchipPortWrite(
  chip: IrqchipState,
  port: number,
  size: number,
  value: number,
  fx: IrqEffects,
): boolean {
  if (isPic(port, size)) {
    if (size === 1) picWrite(chip, port, value, fx);
    return true;
  }
  if (isPit(chip, port, size)) {
    pitWrite(chip.pit!, port - 0x40, value, fx.now());
    return true;
  }
  if (!isSpeaker(chip, port, size)) return false;
  speakerWrite(chip.pit!, value, fx.now());
  return true;
}
