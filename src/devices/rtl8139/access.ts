/** Accesses of registers, and what reads give. QEMU 7.2, hw/net/rtl8139.c: rtl8139_io_readb and its neighbours. */
import { wiresRead } from './eeprom.ts';
import { BMSR, CR, MODE, R, REVISION, SLOTS, TSD, WINDOW_BYTES } from './registers.ts';
import { registerOf, type Rtl8139Registers } from './state.ts';

export type Width = 1 | 2 | 4;

/** A part of an access: what the chip has a register for. */
export interface RegisterAccess {
  readonly offset: number;
  readonly size: Width;
}

type Reading = (nic: Rtl8139Registers, now: number) => number;

/** Offset, how many behind one another, and what they give; without that what was written there last. */
type Row = readonly [offset: number, count: number, read?: (offset: number) => Reading];

const only =
  (reading: Reading): ((offset: number) => Reading) =>
  () =>
    reading;

/** The low bits of a word of 32 bits that begin at an offset. */
const partOf =
  (mask: number) =>
  (offset: number): Reading =>
  (nic) =>
    (registerOf(nic, offset - (offset % 4)) >>> (8 * (offset % 4))) & mask;

/** A driver sees where it has read less this. */
export const CAPR_LAG = 0x10;

const PCI_PERIOD = 30;

const isEmpty = ({ ring: { size, read, write } }: Rtl8139Registers): boolean => ((write - read) & (size - 1)) === 0;

/** The state of all slots in one word: from its lowest bits on who owns them, those aborted, underrun, sent. */
function slotsRead(nic: Rtl8139Registers): number {
  let word = 0;
  for (const [at, bit] of [TSD.own, TSD.aborted, TSD.underrun, TSD.sent].entries()) {
    for (let slot = 0; slot < SLOTS; slot++) {
      if ((registerOf(nic, R.TSD + 4 * slot) & bit) !== 0) word |= 1 << (4 * at + slot);
    }
  }
  return word;
}

const eepromRead: Reading = (nic) => {
  const value = registerOf(nic, R.CR9346);
  return (value & MODE.mask) === MODE.eeprom ? wiresRead(value, nic.eeprom) : value;
};

/** Virtual nanoseconds after which TCTR begins anew. */
export const TIMER_ROUND_NS = 2 ** 32 * PCI_PERIOD;

/** Virtual nanoseconds of so many counts of TCTR. */
export const timerNs = (counts: number): number => counts * PCI_PERIOD;

const timerRead: Reading = ({ timerBase }, now) => Math.floor((now - timerBase) / PCI_PERIOD) % 2 ** 32;

const READS: Readonly<Record<Width, readonly Row[]>> = {
  1: [
    [R.IDR, 6],
    [R.MAR, 8],
    [R.TSD, 4 * SLOTS, partOf(0xff)],
    [R.CR, 1, only((nic) => registerOf(nic, R.CR) | (isEmpty(nic) ? CR.empty : 0))],
    [R.TCR + 3, 1, partOf(0xff)],
    [R.CR9346, 1, only(eepromRead)],
    [R.CONFIG0, 2],
    [R.MSR, 1, only((nic) => 0xd0 | (~registerOf(nic, R.BMSR) & BMSR.linkUp))],
    [R.CONFIG3, 2],
    [R.HLTCLK, 1, only(({ isClocked }) => (isClocked ? 1 : 0))],
    [R.RERID, 1, only(() => REVISION)],
    [R.CONFIG5, 1],
    [R.ETTHR, 1],
  ],
  2: [
    [R.TSAD, 4 * SLOTS, partOf(0xffff)],
    [R.CAPR, 1, only(({ ring }) => (ring.read - CAPR_LAG) & 0xffff)],
    [R.CBR, 1, only(({ ring }) => ring.write & 0xffff)],
    [R.IMR, 1],
    [R.ISR, 1],
    [R.MULINT, 1],
    [R.TSADS, 1, only(slotsRead)],
    ...[R.BMCR, R.BMSR, R.ANAR, R.ANLPAR, R.ANER, R.CSCR, R.CPCR].map((offset): Row => [offset, 1]),
  ],
  4: [
    ...[0, 4, 8, 12].flatMap((at): Row[] => [
      [R.TSD + at, 1],
      [R.TSAD + at, 1],
    ]),
    ...[R.RBSTART, R.TCR, R.RCR, R.MPC, R.TIMERINT, R.RDSAR, R.RDSAR + 4].map((offset): Row => [offset, 1]),
    [R.TCTR, 1, only(timerRead)],
  ],
};

const plain =
  (offset: number): Reading =>
  (nic) =>
    registerOf(nic, offset);

const tableOf = (rows: readonly Row[]): ReadonlyMap<number, Reading> =>
  new Map(
    rows.flatMap(([offset, count, read = plain]) =>
      Array.from({ length: count }, (_, at) => [offset + at, read(offset + at)] as const),
    ),
  );

const TABLES = { 1: tableOf(READS[1]), 2: tableOf(READS[2]), 4: tableOf(READS[4]) } as const;

/** What has no register of its width is read byte by byte; what has none at all is zero. */
export function readRegister(nic: Rtl8139Registers, { offset, size }: RegisterAccess, now: number): number {
  const reading = TABLES[size].get(offset);
  if (reading !== undefined) return reading(nic, now);
  if (size === 1) return 0;
  let value = 0;
  for (let at = 0; at < size; at++) {
    value |= readRegister(nic, { offset: (offset + at) % WINDOW_BYTES, size: 1 }, now) << (8 * at);
  }
  return value >>> 0;
}
