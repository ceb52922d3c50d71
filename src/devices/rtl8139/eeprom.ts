/** The EEPROM, 64 words of a 93C46, on the wires of 9346CR. QEMU 7.2, hw/net/rtl8139.c: prom9346. */
import type { Draft } from '../../base/draft.ts';

/** What goes on at its wires. */
export interface Eeprom {
  /** Levels of the wires. */
  readonly isSelected: boolean;
  readonly isClockHigh: boolean;
  readonly dataOut: boolean;
  /** command: it waits for a start bit. opcode: it is shifted in. read: a word is shifted out. */
  readonly mode: 'none' | 'command' | 'opcode' | 'read';
  /** Bits shifted in, or out. */
  readonly bits: number;
  readonly shift: number;
}

export const IDLE_EEPROM: Eeprom = {
  ...{ isSelected: false, isClockHigh: false, dataOut: false },
  ...{ mode: 'none', bits: 0, shift: 0 },
};

const SIZE = 64;
const WORD_BITS = 16;

const ID = 0x8129;
const VENDOR = 0x10ec;
const DEVICE = 0x8139;

/** Words before the address. */
const BEFORE_MAC = [ID, VENDOR, DEVICE, 0, 0, 0, 0] as const;

/** What it holds: six bytes of a MAC among what QEMU puts there. */
export function eepromWords(mac: readonly number[]): readonly number[] {
  const words: number[] = [...BEFORE_MAC, ...[0, 2, 4].map((at) => mac[at]! | (mac[at + 1]! << 8))];
  return Array.from({ length: SIZE }, (_, at) => words[at] ?? 0);
}

/** Wires of 9346CR: the first is the chip's, the others a driver's. */
const WIRE = { dataOut: 0x1, dataIn: 0x2, clock: 0x4, select: 0x8 } as const;

/** 9346CR as it is read while its wires are the EEPROM's. */
export const wiresRead = (value: number, { isSelected, dataOut }: Eeprom): number =>
  isSelected && dataOut ? value | WIRE.dataOut : value & ~WIRE.dataOut;

/** A driver drives the wires. */
export function wiresWritten(eeprom: Draft<Eeprom>, value: number, words: readonly number[]): void {
  const wasSelected = eeprom.isSelected;
  const wasHigh = eeprom.isClockHigh;
  eeprom.isSelected = (value & WIRE.select) !== 0;
  eeprom.isClockHigh = (value & WIRE.clock) !== 0;
  if (!eeprom.isSelected) return;
  if (!wasSelected) Object.assign(eeprom, { mode: 'command', bits: 0, shift: 0 });
  if (!wasHigh && eeprom.isClockHigh) clocked(eeprom, (value & WIRE.dataIn) !== 0, words);
}

const OPCODE_BITS = 8;
const OPCODE = { mask: 0xc0, read: 0x80 } as const;

function clocked(eeprom: Draft<Eeprom>, bit: boolean, words: readonly number[]): void {
  if (eeprom.mode === 'command' && bit) Object.assign(eeprom, { mode: 'opcode', bits: 0, shift: 0 });
  else if (eeprom.mode === 'opcode') shiftIn(eeprom, bit, words);
  else if (eeprom.mode === 'read') shiftOut(eeprom);
}

function shiftIn(eeprom: Draft<Eeprom>, bit: boolean, words: readonly number[]): void {
  eeprom.shift = (eeprom.shift << 1) | (bit ? 1 : 0);
  eeprom.bits += 1;
  if (eeprom.bits < OPCODE_BITS) return;
  const isRead = (eeprom.shift & OPCODE.mask) === OPCODE.read;
  // QEMU knows no other command: nothing is ever written.
  const word = isRead ? words[eeprom.shift & (SIZE - 1)]! : 0;
  if (isRead) eeprom.dataOut = false;
  Object.assign(eeprom, { mode: isRead ? 'read' : 'none', bits: 0, shift: word });
}

function shiftOut(eeprom: Draft<Eeprom>): void {
  eeprom.dataOut = (eeprom.shift & 0x8000) !== 0;
  eeprom.shift = (eeprom.shift << 1) & 0xffff;
  eeprom.bits += 1;
  if (eeprom.bits === WORD_BITS) Object.assign(eeprom, { mode: 'command', bits: 0, shift: 0 });
}
