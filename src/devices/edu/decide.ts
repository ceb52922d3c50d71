import type { Effects } from '../device.ts';
import { isBusMaster } from '../pci/index.ts';
import { BUFFER, DMA, FIRST_WIDE, IDENTIFICATION, REGISTER, STATUS } from './registers.ts';
import { type EduSetup, type EduState, FACTORIAL, TRANSFER } from './state.ts';

/** A thread of QEMU's own computes; here it takes a microsecond. */
const FACTORIAL_NS = 1_000;
const TRANSFER_NS = 100_000_000;

/** 2^53 - 1 stands for 64 ones: numbers are exact so far. */
const allOnes = (size: number): number => (size === 8 ? Number.MAX_SAFE_INTEGER : 0xffff_ffff);

const isWidth = (offset: number, size: number): boolean => size === 4 || (size === 8 && offset >= FIRST_WIDE);

export function readEdu(edu: EduState, offset: number, size: number): number {
  const value = isWidth(offset, size) ? registerOf(edu, offset) : undefined;
  if (value === undefined) return allOnes(size);
  return size === 4 ? value % 2 ** 32 : value;
}

function registerOf(edu: EduState, offset: number): number | undefined {
  switch (offset) {
    case REGISTER.identification:
      return IDENTIFICATION;
    case REGISTER.liveness:
      return edu.liveness;
    case REGISTER.factorial:
      return edu.factorial;
    case REGISTER.status:
      return edu.status;
    case REGISTER.interruptStatus:
      return edu.interruptStatus;
    case REGISTER.dmaSource:
      return edu.dma.source;
    case REGISTER.dmaDestination:
      return edu.dma.destination;
    case REGISTER.dmaCount:
      return edu.dma.count;
    case REGISTER.dmaCommand:
      return edu.dma.command;
    default:
      return undefined;
  }
}

export function writeEdu(edu: EduState, offset: number, size: number, effects: Effects): void {
  const was = { isComputing: isComputing(edu), isMoving: isMoving(edu) };
  effects.commit();
  if (!isWidth(offset, size)) return;
  if (!was.isComputing && isComputing(edu)) effects.arm(FACTORIAL, effects.now + FACTORIAL_NS);
  if (!was.isMoving && isMoving(edu)) effects.arm(TRANSFER, effects.now + TRANSFER_NS);
  if (offset === REGISTER.interruptRaise) interrupt(edu, effects);
  if (offset === REGISTER.interruptAcknowledge && edu.interruptStatus === 0) effects.pin('intx', false);
}

const isComputing = ({ status }: EduState): boolean => (status & STATUS.computing) !== 0;

const isMoving = ({ dma }: EduState): boolean => (dma.command & DMA.run) !== 0;

/** By a message where the guest has turned them on, or else by the pin. */
function interrupt(edu: EduState, effects: Effects): void {
  if (edu.interruptStatus !== 0 && !effects.msi(0)) effects.pin('intx', true);
}

export function expireEdu(setup: EduSetup, edu: EduState, timer: string, effects: Effects): void {
  if (timer === FACTORIAL) {
    if ((edu.status & STATUS.interrupts) !== 0) interrupt(edu, effects);
    return;
  }
  if (!transfer(setup, edu, effects)) return;
  if ((edu.dma.command & DMA.interrupts) !== 0) interrupt(edu, effects);
}

/** False: the run is over, as QEMU's is. */
function transfer({ dma_mask: mask }: EduSetup, edu: EduState, effects: Effects): boolean {
  const { source, destination, count, command } = edu.dma;
  const toRam = (command & DMA.toRam) !== 0;
  const inside = toRam ? source : destination;
  const [first, end] = [BUFFER.start, BUFFER.start + BUFFER.size];
  // QEMU counts the byte behind the last one too: a whole buffer is out of bounds.
  if (inside < first || inside >= end || count === 0 || inside + count >= end) {
    const range = `0x${inside.toString(16)}-0x${(inside + count - 1).toString(16)}`;
    effects.raise({ kind: 'sim:guest_panicked', by: `EDU: DMA range ${range} out of bounds` });
    return false;
  }
  const at = inside - first;
  const ram = Number(BigInt(toRam ? destination : source) & BigInt(mask));
  if (!toRam) effects.keep(at, isBusMaster(edu) ? effects.dmaRead(ram, count) : new Uint8Array(count));
  else if (isBusMaster(edu)) effects.dmaWrite(ram, Uint8Array.from(edu.buffer.slice(at, at + count)));
  return true;
}
