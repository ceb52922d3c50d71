/** What writes do to registers. QEMU 7.2, hw/net/rtl8139.c: rtl8139_io_writeb and its neighbours. */
import type { Draft } from '../../base/draft.ts';
import { CAPR_LAG, type RegisterAccess, type Width } from './access.ts';
import { eepromWords, wiresWritten } from './eeprom.ts';
import { BMCR, CAUSE, CLOCK, CR, DTCCR, MODE, R, SLOTS, WINDOW_BYTES } from './registers.ts';
import {
  macBytes,
  phyAtReset,
  putRegister,
  registerOf,
  resetRegisters,
  ringBytes,
  type Rtl8139Registers,
  type Rtl8139Setup,
} from './state.ts';

type Nic = Draft<Rtl8139Registers>;

/** A write of what the chip has a register for. */
export interface RegisterPart extends RegisterAccess {
  readonly value: number;
}

type Writing = (nic: Nic, part: RegisterPart, setup: Rtl8139Setup) => void;

/** Offset, how many behind one another, and which bits are kept, or what else is done. */
type Row = readonly [offset: number, count: number, write: number | Writing];

const ALL = 0xffff_ffff;

/** Bits of a register that a driver may write; others stay. */
const bitsOf =
  (mask: number): Writing =>
  (nic, { offset, value }) =>
    putRegister(nic, offset, ((registerOf(nic, offset) & ~mask) | (value & mask)) >>> 0);

/** Nothing but what 9346CR lets through. */
const locked =
  (mask: number): Writing =>
  (nic, part, setup) => {
    if ((registerOf(nic, R.CR9346) & MODE.mask) === MODE.config) bitsOf(mask)(nic, part, setup);
  };

export function resetNic(nic: Nic, setup: Rtl8139Setup): void {
  Object.assign(nic, resetRegisters(setup, nic));
  nic.transmission.left = 0;
}

const writeCommand: Writing = (nic, { value }, setup) => {
  if ((value & CR.reset) !== 0) resetNic(nic, setup);
  if ((value & CR.receives) !== 0) nic.rxDescriptor = 0;
  if ((value & CR.transmits) !== 0) nic.txDescriptor = 0;
  putRegister(nic, R.CR, value & (CR.receives | CR.transmits));
};

/** Bits of 9346CR that a driver writes. */
const EEPROM_BITS = 0xce;

const write9346: Writing = (nic, part, setup) => {
  bitsOf(EEPROM_BITS)(nic, part, setup);
  const value = registerOf(nic, R.CR9346);
  const mode = value & MODE.mask;
  if (mode === MODE.eeprom) wiresWritten(nic.eeprom, value, eepromWords(macBytes(setup)));
  if (mode !== MODE.load) return;
  resetNic(nic, setup);
  putRegister(nic, R.CR9346, 0);
};

const TCR_BITS = 0x030f_07f0;

const writeTransmitConfig: Writing = (nic, part, setup) => {
  if ((registerOf(nic, R.CR) & CR.transmits) === 0) return;
  const { size, value } = part;
  const whole = size === 4 ? value : (registerOf(nic, R.TCR) & ~0xff) | value;
  bitsOf(TCR_BITS)(nic, { ...part, value: whole }, setup);
};

const RCR_BITS = 0x0f03_ffbf;

const writeReceiveConfig: Writing = (nic, part, setup) => {
  bitsOf(RCR_BITS)(nic, part, setup);
  nic.ring = { size: ringBytes(registerOf(nic, R.RCR)), read: 0, write: 0 };
};

/** Of TSD nobody writes what the chip answers. */
const SLOT_BITS = 0x003f_3fff;
const SLOT_KEPT = 0x00c0_0000;

const writeSlot: Writing = (nic, { offset, value }) => {
  const before = registerOf(nic, offset);
  // A dump of the counters is done when the write is.
  const told = offset === R.TSD ? value & ~DTCCR.command : value;
  putRegister(nic, offset, (nic.isCPlus ? told : (before & SLOT_KEPT) | (value & SLOT_BITS)) >>> 0);
};

const writeModeControl: Writing = (nic, part, setup) => {
  if ((part.value & BMCR.reset) !== 0) {
    for (const [offset, value] of phyAtReset(nic.isUnplugged)) putRegister(nic, offset, value);
  }
  bitsOf(BMCR.written)(nic, part, setup);
};

const writeStatus: Writing = (nic, { value }) => {
  const before = registerOf(nic, R.ISR);
  putRegister(nic, R.ISR, before & (~value | CAUSE.reserved));
};

const writeClock: Writing = (nic, { value }) => {
  if (value === CLOCK.run || value === CLOCK.halt) nic.isClocked = value === CLOCK.run;
};

const CPCR_BITS = 0x007b;

const writeCPlus: Writing = (nic, part, setup) => {
  nic.isCPlus = true;
  bitsOf(CPCR_BITS)(nic, part, setup);
};

const WRITES: Readonly<Record<Width, readonly Row[]>> = {
  1: [
    [R.IDR, 6, ALL],
    [R.MAR, 8, ALL],
    [R.CR, 1, writeCommand],
    [R.TCR, 1, writeTransmitConfig],
    [R.CR9346, 1, write9346],
    [R.CONFIG0, 1, locked(0x07)],
    [R.CONFIG1, 1, locked(0xf3)],
    [R.CONFIG3, 1, locked(0x70)],
    [R.CONFIG4, 1, locked(0xf5)],
    [R.CONFIG5, 1, 0x7f],
    [R.ETTHR, 1, ALL],
    [R.HLTCLK, 1, writeClock],
  ],
  2: [
    [R.CAPR, 1, ({ ring }, { value }) => void (ring.read = (value + CAPR_LAG) & (ring.size - 1))],
    [R.IMR, 1, 0xffff & ~CAUSE.reserved],
    [R.ISR, 1, writeStatus],
    [R.MULINT, 1, 0x0fff],
    [R.BMCR, 1, writeModeControl],
    [R.BMSR, 1, 0x00c0],
    [R.ANAR, 1, ALL],
    [R.ANLPAR, 1, 0],
    [R.ANER, 1, ALL],
    [R.CPCR, 1, writeCPlus],
  ],
  4: [
    ...Array.from({ length: SLOTS }, (_, slot): Row => [R.TSD + 4 * slot, 1, writeSlot]),
    ...Array.from({ length: SLOTS }, (_, slot): Row => [R.TSAD + 4 * slot, 1, ALL]),
    ...[R.RBSTART, R.TIMERINT, R.RDSAR, R.RDSAR + 4].map((offset): Row => [offset, 1, ALL]),
    [R.TCR, 1, writeTransmitConfig],
    [R.RCR, 1, writeReceiveConfig],
    [R.MPC, 1, (nic) => putRegister(nic, R.MPC, 0)],
    // Since when it counts is a fact of its own.
    [R.TCTR, 1, 0],
  ],
};

const writingOf = (write: number | Writing): Writing => (typeof write === 'number' ? bitsOf(write) : write);

const tableOf = (rows: readonly Row[]): ReadonlyMap<number, Writing> =>
  new Map(
    rows.flatMap(([offset, count, write]) =>
      Array.from({ length: count }, (_, at) => [offset + at, writingOf(write)] as const),
    ),
  );

const TABLES = { 1: tableOf(WRITES[1]), 2: tableOf(WRITES[2]), 4: tableOf(WRITES[4]) } as const;

/** What a write is to the chip: as a whole where it has a register of this width, else byte by byte. */
export function partsOf(write: RegisterPart): readonly RegisterPart[] {
  const { offset, size, value } = write;
  if (size === 1 || TABLES[size].has(offset)) return [write];
  return Array.from({ length: size }, (_, at) => ({
    offset: (offset + at) % WINDOW_BYTES,
    size: 1,
    value: (value >>> (8 * at)) & 0xff,
  }));
}

/** What a write does to registers. What follows from it is the chip's to decide. */
export function writeRegisters(nic: Nic, write: RegisterPart, setup: Rtl8139Setup): void {
  for (const part of partsOf(write)) TABLES[part.size].get(part.offset)?.(nic, part, setup);
}
