import type { Draft } from '../../base/draft.ts';
import type { PciFunctionState } from '../pci/index.ts';
import { IDLE_EEPROM, type Eeprom } from './eeprom.ts';
import { BMCR, BMSR, CR, LEAST_RING, R, RCR, SLOTS, TCR, TSD } from './registers.ts';

/** How the controller is set up, by QEMU's names. */
export interface Rtl8139Setup {
  readonly mac: string;
  readonly netdev: string;
}

/** The ring of the C mode, in bytes from its beginning. */
export interface ReceiveRing {
  /** A power of two. */
  readonly size: number;
  /** Up to where the driver has read. */
  readonly read: number;
  /** Where the next frame goes. */
  readonly write: number;
}

/** Counters a driver has written to memory. */
export interface Tally {
  readonly sent: number;
  readonly received: number;
  readonly receiveErrors: number;
  readonly missed: number;
  readonly physical: number;
  readonly broadcast: number;
  readonly multicast: number;
}

/** A packet that descriptors of the C+ mode put together. */
export interface Transmission {
  /** Bytes of it so far. */
  readonly size: number;
  /** Those bytes, as latin1, where the ring ended in the middle of it. */
  readonly kept: string;
  /** Descriptors that are still to be looked at, while the work rests. */
  readonly left: number;
}

/** The controller's own registers. */
export interface Rtl8139Registers {
  /** Those that are not zero, by their places. */
  readonly registers: Readonly<Record<number, number>>;
  readonly eeprom: Eeprom;
  /** Slot of the C mode that is sent next. */
  readonly slot: number;
  readonly ring: ReceiveRing;
  /** Descriptors of the C+ mode that are next. */
  readonly rxDescriptor: number;
  readonly txDescriptor: number;
  readonly transmission: Transmission;
  /** CPCR was written: TSD0 and TSD1 are about tally counters. */
  readonly isCPlus: boolean;
  readonly isClocked: boolean;
  /** Somebody pulled the cable. */
  readonly isUnplugged: boolean;
  /** Virtual nanosecond at which TCTR was zero. */
  readonly timerBase: number;
  readonly tally: Tally;
}

export type Rtl8139State = PciFunctionState & Rtl8139Registers;

/** The names of its timers. */
export const TIMER = { timer: 'timer', transmit: 'transmit' } as const;

export const TIMERS: readonly string[] = Object.values(TIMER);

/** A register, whoever may read it. */
export const registerOf = ({ registers }: Pick<Rtl8139Registers, 'registers'>, offset: number): number =>
  registers[offset] ?? 0;

export function putRegister({ registers }: Draft<Rtl8139Registers>, offset: number, value: number): void {
  if (value === 0) delete registers[offset];
  else registers[offset] = value;
}

/** Six bytes of a MAC as people write it. */
export const macBytes = ({ mac }: Pick<Rtl8139Setup, 'mac'>): readonly number[] =>
  mac.split(':').map((octet) => Number.parseInt(octet, 16));

/** The address the driver sees, and may have written. */
export const addressOf = (nic: Rtl8139Registers): readonly number[] =>
  Array.from({ length: 6 }, (_, at) => registerOf(nic, R.IDR + at));

const each = (first: number, count: number, stride: number): number[] =>
  Array.from({ length: count }, (_, at) => first + stride * at);

/** Registers a reset leaves as they are. */
const KEPT: readonly number[] = [
  ...each(R.MAR, 8, 1),
  ...each(R.TSAD, SLOTS, 4),
  ...[R.RCR, R.MPC, R.CR9346, R.CONFIG4, R.MULINT, R.ETTHR],
];

const NO_TALLY: Tally = {
  ...{ sent: 0, received: 0, receiveErrors: 0, missed: 0 },
  ...{ physical: 0, broadcast: 0, multicast: 0 },
};

/** What a reset puts there, and power-on. QEMU 7.2, hw/net/rtl8139.c: rtl8139_reset. */
const atReset = (setup: Rtl8139Setup, isUnplugged: boolean): readonly (readonly [offset: number, value: number])[] => [
  ...macBytes(setup).map((octet, at) => [R.IDR + at, octet] as const),
  ...each(R.TSD, SLOTS, 4).map((offset) => [offset, TSD.own] as const),
  ...[[R.CR, CR.reset] as const, [R.TCR, TCR.version] as const],
  ...[[R.CONFIG1, 0x0c] as const, [R.CONFIG3, 0x01] as const, [R.BMCR, BMCR.atReset] as const],
  ...phyAtReset(isUnplugged),
];

/** Of registers about the wire. The link is as it is. */
export const phyAtReset = (isUnplugged: boolean): readonly (readonly [offset: number, value: number])[] => [
  [R.BMSR, BMSR.atReset | (isUnplugged ? 0 : BMSR.linkUp)],
  [R.ANAR, 0x05e1],
  [R.ANLPAR, 0x05e1],
  [R.ANER, 0x0001],
  [R.CSCR, 0x0340],
];

/** What a reset does not touch. */
type Lasting = Pick<Rtl8139Registers, 'eeprom' | 'isUnplugged' | 'transmission'>;

/** Before its first reset. */
const NEW: Lasting & Pick<Rtl8139Registers, 'registers'> = {
  registers: {},
  eeprom: IDLE_EEPROM,
  isUnplugged: false,
  transmission: { size: 0, kept: '', left: 0 },
};

export function atPowerOn(setup: Rtl8139Setup): Rtl8139Registers {
  const { eeprom, isUnplugged, transmission } = NEW;
  return { eeprom: { ...eeprom }, isUnplugged, transmission: { ...transmission }, ...resetRegisters(setup, NEW) };
}

/** Behind a reset, of what there was before it. */
export function resetRegisters(
  setup: Rtl8139Setup,
  before: Pick<Rtl8139Registers, 'registers' | 'isUnplugged'>,
): Omit<Rtl8139Registers, keyof Lasting> {
  const kept = KEPT.map((offset) => [offset, registerOf(before, offset)] as const);
  const registers = [...kept, ...atReset(setup, before.isUnplugged)].filter(([, value]) => value !== 0);
  return {
    registers: Object.fromEntries(registers),
    ...{ slot: 0, rxDescriptor: 0, txDescriptor: 0, timerBase: 0, isCPlus: false, isClocked: true },
    ring: { size: LEAST_RING, read: 0, write: 0 },
    tally: { ...NO_TALLY },
  };
}

/** How large RCR makes the ring. */
export const ringBytes = (rcr: number): number => LEAST_RING << ((rcr / RCR.ring) & 3);
