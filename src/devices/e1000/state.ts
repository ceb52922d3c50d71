import type { Draft } from '../../base/draft.ts';
import type { Seq } from '../../base/units.ts';
import type { PciFunctionState } from '../pci/index.ts';
import { type Context, NO_CONTEXT } from './descriptors.ts';
import { BMCR, BMSR, PHY, PHY_AT_RESET } from './phy.ts';
import { ADDRESS_VALID, AT_RESET, CTRL, DESCRIPTOR_BYTES, R, RCTL } from './registers.ts';

/** How the controller is set up, by QEMU's names. */
export interface E1000Setup {
  readonly mac: string;
  readonly netdev: string;
  readonly autonegotiation: boolean;
  readonly mitigation: boolean;
  readonly extra_mac_registers: boolean;
  readonly migrate_tso_props: boolean;
  readonly 'init-vet': boolean;
}

/** The wires of the EEPROM: what was shifted in and out of it. */
export interface EepromWires {
  /** EECD, as far as a driver drives it. */
  readonly pins: number;
  readonly shiftedIn: number;
  readonly bitsIn: number;
  readonly bitsOut: number;
  readonly isReading: boolean;
}

/** Interrupts come no faster than registers and properties allow. */
export interface Mitigation {
  /** Until the next interrupt may come, in 256 ns: 0 while none is held back. */
  readonly delay: number;
  /** The level of the pin. */
  readonly isRaised: boolean;
  /** A descriptor asked for its interrupt to be delayed. */
  readonly isDelayed: boolean;
  /** The fact that made an interrupt which is held back, or was until just now. */
  readonly since: Seq | undefined;
}

/** A packet that descriptors put together, and what they say of it. */
export interface Transmission {
  /** Bytes of it so far. */
  readonly size: number;
  /** Checksums it is to have: POPTS of its first descriptor. */
  readonly sums: number;
  /** It is cut into segments. */
  readonly isSegmented: boolean;
  /** Segments sent of it. */
  readonly frames: number;
  /** Tag that is to be put into it, 32 bits; -1: none. */
  readonly tag: number;
  readonly context: Context;
  readonly segmentContext: Context;
  /** Its bytes, as latin1, where the ring ended in the middle of it. */
  readonly kept: string;
  /** Head where the work that is under way began; -1: there is none. */
  readonly start: number;
  /** Interrupt causes of what has been done. */
  readonly cause: number;
}

/** The controller's own registers. */
export interface E1000Registers {
  /** Those that are not zero, by their places. */
  readonly registers: Readonly<Record<number, number>>;
  readonly phy: readonly number[];
  readonly eeprom: EepromWires;
  readonly mitigation: Mitigation;
  readonly transmission: Transmission;
  /** Somebody pulled the cable. */
  readonly isUnplugged: boolean;
  /** Since RCTL was written no packet is taken: a driver may write it before its ring is ready. */
  readonly isWaiting: boolean;
}

export type E1000State = PciFunctionState & E1000Registers;

/** The names of its timers. */
export const TIMER = {
  autonegotiation: 'autoneg',
  mitigation: 'mit',
  flush: 'flush_queue',
  transmit: 'transmit',
} as const;

export const TIMERS: readonly string[] = Object.values(TIMER);

/** A register, whoever may read it. */
export const registerOf = ({ registers }: Pick<E1000Registers, 'registers'>, offset: number): number =>
  registers[offset] ?? 0;

export function putRegister({ registers }: Draft<E1000Registers>, offset: number, value: number): void {
  if (value === 0) delete registers[offset];
  else registers[offset] = value;
}

const octetsOf = (mac: string): number[] => mac.split(':').map((octet) => Number.parseInt(octet, 16));

/** Six bytes of a MAC as people write it. */
export const macBytes = ({ mac }: Pick<E1000Setup, 'mac'>): readonly number[] => octetsOf(mac);

/** The first receive address, low and high word. */
function receiveAddress(setup: E1000Setup): readonly [low: number, high: number] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macBytes(setup);
  return [(a | (b << 8) | (c << 16) | (d << 24)) >>> 0, (ADDRESS_VALID | e | (f << 8)) >>> 0];
}

const VLAN_TYPE = 0x8100;

/** At power-on and after a reset. What a reset leaves is the EEPROM's wires and the cable. */
export function registersAtReset(setup: E1000Setup): Omit<E1000Registers, 'eeprom' | 'isUnplugged'> {
  const [low, high] = receiveAddress(setup);
  const registers = new Map([...AT_RESET, [R.RA, low], [R.RA + 4, high]]);
  if (setup['init-vet']) registers.set(R.VET, VLAN_TYPE);
  return {
    registers: Object.fromEntries([...registers].filter(([, value]) => value !== 0)),
    phy: [...PHY_AT_RESET],
    mitigation: { delay: 0, isRaised: false, isDelayed: false, since: undefined },
    transmission: { ...NO_TRANSMISSION },
    isWaiting: false,
  };
}

const NO_TRANSMISSION: Transmission = {
  ...{ size: 0, sums: 0, isSegmented: false, frames: 0, tag: -1, kept: '', start: -1, cause: 0 },
  context: NO_CONTEXT,
  segmentContext: NO_CONTEXT,
};

export const NO_WIRES: EepromWires = { pins: 0, shiftedIn: 0, bitsIn: 0, bitsOut: 0, isReading: false };

/** Bytes of a receive buffer. 13.4.22, BSIZE and BSEX; what is reserved is 2048 in QEMU. */
export function bufferBytes(state: E1000Registers): number {
  const rctl = registerOf(state, R.RCTL);
  const size = (rctl >>> 16) & 3;
  if (size === 0) return 2048;
  return ((rctl & RCTL.extendedSize) !== 0 ? 32_768 : 2048) >> size;
}

/** Where a ring lies, by the two registers of its address. Beyond 2^53 it is not exact; no memory is there. */
export function ringBase(state: E1000Registers, low: number, high: number): number {
  const at = registerOf(state, low);
  return registerOf(state, high) * 2 ** 32 + at - (at % DESCRIPTOR_BYTES);
}

/** Tags, as registers have them. */
export const tagging = (state: E1000Registers): { readonly isOn: boolean; readonly type: number } => ({
  isOn: (registerOf(state, R.CTRL) & CTRL.vme) !== 0,
  type: registerOf(state, R.VET),
});

/** Whether the link comes up by negotiation. */
export const hasAutonegotiation = (setup: E1000Setup, { phy }: E1000Registers): boolean =>
  setup.autonegotiation && (phy[PHY.control]! & BMCR.autonegotiates) !== 0;

/** Whether the ends have to agree first when a cable is plugged. */
export const negotiatesAnew = (setup: E1000Setup, state: E1000Registers): boolean =>
  hasAutonegotiation(setup, state) && (state.phy[PHY.status]! & BMSR.negotiated) === 0;
