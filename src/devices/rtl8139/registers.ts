/**
 * Registers of the RTL8139C+ by Realtek's names, in bytes from the beginning of its window. RTL8139C(L)+ data sheet,
 * chapter 6; those of the C+ mode, too.
 */
export const R = {
  ...{ IDR: 0x00, MAR: 0x08, TSD: 0x10, TSAD: 0x20, RBSTART: 0x30, CR: 0x37, CAPR: 0x38, CBR: 0x3a, IMR: 0x3c },
  ...{ ISR: 0x3e, TCR: 0x40, RCR: 0x44, TCTR: 0x48, MPC: 0x4c, CR9346: 0x50, CONFIG0: 0x51, CONFIG1: 0x52 },
  ...{ TIMERINT: 0x54, MSR: 0x58, CONFIG3: 0x59, CONFIG4: 0x5a, HLTCLK: 0x5b, MULINT: 0x5c, RERID: 0x5e },
  ...{ TSADS: 0x60, BMCR: 0x62, BMSR: 0x64, ANAR: 0x66, ANLPAR: 0x68, ANER: 0x6a, CSCR: 0x74, CONFIG5: 0xd8 },
  ...{ TPPOLL: 0xd9, CPCR: 0xe0, RDSAR: 0xe4, ETTHR: 0xec },
} as const;

/** Bytes of the window, in ports and in memory. */
export const WINDOW_BYTES = 0x100;

export const REVISION = 0x20;

/** Slots of the C mode: how many frames a driver hands over at a time. */
export const SLOTS = 4;

/** Command register. */
export const CR = { empty: 0x01, transmits: 0x04, receives: 0x08, reset: 0x10 } as const;

/** TSD0 to TSD3. */
export const TSD = { size: 0x1fff, own: 0x2000, underrun: 0x4000, sent: 0x8000, aborted: 0x4000_0000 } as const;

/** Of TSD0 in C+ mode: the tally counters are to be written to memory. Where they go begins at a bit of the address. */
export const DTCCR = { command: 0x08, reserved: 0x3f } as const;

/** Causes of interrupts, in IMR and ISR. */
export const CAUSE = {
  ...{ received: 0x0001, sent: 0x0004, overflow: 0x0010, link: 0x0020, timer: 0x4000 },
  /** Bits nobody can write. */
  reserved: 0x1e00,
} as const;

/** RCR: what is taken, and how the ring is. */
export const RCR = {
  ...{ all: 0x01, physical: 0x02, multicast: 0x04, broadcast: 0x08, noWrap: 0x80 },
  /** The lowest of two bits for the size of the ring. */
  ring: 0x800,
} as const;

/** TCR: both bits for what is sent to come back. */
export const TCR = { loopback: 0x6_0000, version: 0x7480_0000 } as const;

/** C+ command register. */
export const CPCR = { transmits: 0x01, receives: 0x02, untags: 0x40 } as const;

/** TPPoll: there are descriptors in the ring of normal priority. */
export const POLL = 0x40;

/** 9346CR: what the chip is doing. */
export const MODE = { mask: 0xc0, load: 0x40, eeprom: 0x80, config: 0xc0 } as const;

/** Basic mode control and status. IEEE 802.3, 22.2.4. */
export const BMCR = { reset: 0x8000, written: 0x0200, atReset: 0x1000 } as const;
export const BMSR = { linkUp: 0x04, atReset: 0x7829 } as const;

/** What HLTCLK is written to stop the clock or to let it run, by its letter. */
export const CLOCK = { halt: 0x48, run: 0x52 } as const;

/** The least of a ring of the C mode. */
export const LEAST_RING = 8192;

/** Of a descriptor of the C+ mode. */
export const DESCRIPTOR_BYTES = 16;

/** Descriptors in a ring of the C+ mode at most. */
export const MOST_DESCRIPTORS = 64;
