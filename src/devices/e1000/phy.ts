/** The PHY, a Marvell 88E1011S as QEMU has it. IEEE 802.3, 22.2.4 and 28.2.4; Intel's manual, chapter 8. */
import type { Draft } from '../../base/draft.ts';

/** Registers by the names of the standard, then those of the maker. */
export const PHY = {
  ...{ control: 0, status: 1, id1: 2, id2: 3, advertised: 4, partner: 5, expansion: 6, control1000: 9, status1000: 10 },
  ...{ specificControl: 16, specificStatus: 17, extendedControl: 20, receiveErrors: 21 },
} as const;

export const BMCR = {
  reset: 0x8000,
  loopback: 0x4000,
  autonegotiates: 0x1000,
  restart: 0x200,
  reserved: 0x3f,
} as const;

export const BMSR = { linkUp: 0x4, negotiated: 0x20 } as const;

/** Of the link partner's abilities. */
const ACKNOWLEDGED = 0x4000;

/** Registers that are not zero at reset. */
const VALUES: Readonly<Record<number, number>> = {
  [PHY.control]: 0x1140,
  [PHY.status]: 0x794d,
  [PHY.id1]: 0x141,
  [PHY.id2]: 0xc20,
  [PHY.advertised]: 0xde1,
  [PHY.partner]: 0x1e0,
  [PHY.control1000]: 0xe00,
  [PHY.status1000]: 0x3c00,
  [PHY.specificControl]: 0x360,
  [PHY.specificStatus]: 0xac00,
  [PHY.extendedControl]: 0xd60,
};

const REGISTERS = 32;

export const PHY_AT_RESET: readonly number[] = Array.from({ length: REGISTERS }, (_, at) => VALUES[at] ?? 0);

/** What may be read; of those only the second list may be written. */
const READABLE: ReadonlySet<number> = new Set(Object.values(PHY));
const WRITABLE: ReadonlySet<number> = new Set([
  ...[PHY.control, PHY.advertised, PHY.control1000, PHY.specificControl, PHY.extendedControl],
]);

/** MDIC: a register of a PHY is read or written. 13.4.7. */
export const MDIC = {
  ...{ data: 0xffff, write: 0x0400_0000, read: 0x0800_0000, ready: 0x1000_0000, interrupt: 0x2000_0000 },
  error: 0x4000_0000,
} as const;

/** Of PHYs this one answers. */
const ADDRESS = 1;

const phyOf = (value: number): number => (value >>> 21) & 0x1f;
const registerOfPhy = (value: number): number => (value >>> 16) & 0x1f;

/** Whether what is written to MDIC writes this register of the PHY. */
export const writesPhy = (value: number, register: number): boolean =>
  phyOf(value) === ADDRESS &&
  registerOfPhy(value) === register &&
  (value & MDIC.read) === 0 &&
  (value & MDIC.write) !== 0;

/** A command of MDIC: what the register shows then, `before` being what it showed. */
export function mdicCommand(phy: Draft<readonly number[]>, before: number, value: number): number {
  return (mdicAnswer(phy, before, value) | MDIC.ready) >>> 0;
}

function mdicAnswer(phy: Draft<readonly number[]>, before: number, value: number): number {
  const register = registerOfPhy(value);
  if (phyOf(value) !== ADDRESS) return before | MDIC.error;
  if ((value & MDIC.read) !== 0) {
    return READABLE.has(register) ? (value & ~MDIC.data) | phy[register]! : value | MDIC.error;
  }
  if ((value & MDIC.write) === 0) return value;
  if (!WRITABLE.has(register)) return value | MDIC.error;
  const data = value & MDIC.data;
  phy[register] = register === PHY.control ? data & ~(BMCR.reserved | BMCR.reset | BMCR.restart) : data;
  return value;
}

/** The link is gone. */
export function linkLost(phy: Draft<readonly number[]>): void {
  phy[PHY.status]! &= ~(BMSR.linkUp | BMSR.negotiated);
  phy[PHY.partner]! &= ~ACKNOWLEDGED;
}

export function linkFound(phy: Draft<readonly number[]>): void {
  phy[PHY.status]! |= BMSR.linkUp;
}

/** The link is there, as both ends agreed. */
export function negotiated(phy: Draft<readonly number[]>): void {
  linkFound(phy);
  phy[PHY.partner]! |= ACKNOWLEDGED;
  phy[PHY.status]! |= BMSR.negotiated;
}
