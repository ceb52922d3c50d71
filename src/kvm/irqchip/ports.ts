/** The kernel's own I/O ports: PIC, ELCR, PIT and, if asked for, the speaker port. */
import { chipOf, type KvmContext } from '../context.ts';
import { picRead, picWrite } from './pic.ts';
import { pitRead, pitWrite, speakerRead, speakerWrite } from './pit.ts';
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
export function irqchipPortRead(kvm: KvmContext, port: number, size: number): number | undefined {
  // The PIC takes byte accesses only: wider ones read zero.
  if (isPic(port, size)) return size === 1 ? picRead(kvm, port) : 0;
  const chip = chipOf(kvm);
  if (isPit(chip, port, size)) return pitRead(kvm, port - 0x40);
  if (isSpeaker(chip, port, size)) return speakerRead(kvm);
  return undefined;
}

/** An OUT the kernel handles itself. False: not ours, user space must. */
export function irqchipPortWrite(kvm: KvmContext, port: number, size: number, value: number): boolean {
  if (isPic(port, size)) {
    if (size === 1) picWrite(kvm, port, value);
    return true;
  }
  const chip = chipOf(kvm);
  if (isPit(chip, port, size)) {
    pitWrite(kvm, port - 0x40, value);
    return true;
  }
  if (!isSpeaker(chip, port, size)) return false;
  speakerWrite(kvm, value);
  return true;
}
