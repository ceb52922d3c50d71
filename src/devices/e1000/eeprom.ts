/** The EEPROM: 64 words, by EERD at once or bit by bit on the wires of a 93C46. Intel's manual, chapter 5, 13.4.3-4. */
import type { Draft } from '../../base/draft.ts';
import { type E1000Setup, type EepromWires, macBytes } from './state.ts';

const DEVICE = 0x100e;

/** As QEMU 7.2 has them; the MAC comes before them, the checksum behind. */
const WORDS: readonly number[] = [
  ...[0x0000, 0xffff, 0x0000, 0x0000, 0x0000, 0x3000, 0x1000, 0x6403, DEVICE, 0x8086, DEVICE, 0x8086, 0x3040],
  ...[0x0008, 0x2000, 0x7e14, 0x0048, 0x1000, 0x00d8, 0x0000, 0x2700, 0x6cc9, 0x3150, 0x0722, 0x040b, 0x0984],
  ...[0x0000, 0xc000, 0x0706, 0x1008, 0x0000, 0x0f04, 0x7fff, 0x4d01, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff],
  ...[0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0x0100, 0x4000, 0x121c],
];

const SIZE = 64;
/** All words add up to this. 5.6.35. */
const SUM = 0xbaba;

/** What it holds. */
export function eepromWords(setup: E1000Setup): readonly number[] {
  const mac = macBytes(setup);
  const words = [0, 1, 2].map((at) => mac[2 * at]! | (mac[2 * at + 1]! << 8)).concat(WORDS);
  const all = [...words, ...new Array<number>(SIZE - 1 - words.length).fill(0xffff)];
  const sum = all.reduce((total, word) => total + word, 0);
  return [...all, (SUM - sum) & 0xffff];
}

const EERD = { start: 0x1, done: 0x10 } as const;

/** EERD: the word it names, once it has been told to start. */
export function eerdValue(words: readonly number[], eerd: number): number {
  if ((eerd & EERD.start) === 0) return eerd;
  const rest = (eerd & ~EERD.start) >>> 0;
  const word = words[rest >>> 8] ?? 0;
  return ((word << 16) | rest | EERD.done) >>> 0;
}

/** EECD. 13.4.3. */
const EECD = {
  ...{ clock: 0x1, select: 0x2, dataIn: 0x4, dataOut: 0x8, request: 0x40, granted: 0x80, present: 0x100 },
  kept: 0x77,
} as const;

/** A command has a start bit, two bits of what it is and six of the address. */
const COMMAND_BITS = 9;
const READ = 6;

export function eecdValue(words: readonly number[], { pins, isReading, bitsOut }: EepromWires): number {
  const bit = (words[(bitsOut >> 4) & (SIZE - 1)]! >> (15 - (bitsOut & 15))) & 1;
  return EECD.present | EECD.granted | pins | (!isReading || bit === 1 ? EECD.dataOut : 0);
}

/** A driver drives the wires. */
export function eecdWritten(wires: Draft<EepromWires>, value: number): void {
  const changed = value ^ wires.pins;
  wires.pins = value & EECD.kept;
  if ((value & EECD.select) === 0) return;
  if ((changed & EECD.select) !== 0) Object.assign(wires, { shiftedIn: 0, bitsIn: 0, bitsOut: 0, isReading: false });
  if ((changed & EECD.clock) === 0) return;
  if ((value & EECD.clock) === 0) wires.bitsOut = (wires.bitsOut + 1) & 0xffff;
  else shiftIn(wires, (value & EECD.dataIn) !== 0);
}

function shiftIn(wires: Draft<EepromWires>, bit: boolean): void {
  wires.shiftedIn = ((wires.shiftedIn << 1) | (bit ? 1 : 0)) >>> 0;
  wires.bitsIn = (wires.bitsIn + 1) & 0xffff;
  if (wires.bitsIn !== COMMAND_BITS || wires.isReading) return;
  wires.bitsOut = (((wires.shiftedIn & (SIZE - 1)) << 4) - 1) & 0xffff;
  wires.isReading = ((wires.shiftedIn >> 6) & 7) === READ;
}
