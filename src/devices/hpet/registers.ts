/** HPET registers. IA-PC HPET specification 1.0a, 2.3. */

/** Offsets of the block's own registers; a 64-bit register's high half is 4 further on. */
export const REGISTER = { capabilities: 0x000, configuration: 0x010, status: 0x020, counter: 0x0f0 } as const;

/** Timer n's registers begin at 0x100 + 0x20 n. */
export const TIMER = { first: 0x100, stride: 0x20, configuration: 0x00, comparator: 0x08, fsbRoute: 0x10 } as const;

/** Which timer a register from `TIMER.first` on belongs to, and its place there. */
export function timerRegister(offset: number): { readonly index: number; readonly at: number } {
  const from = offset - TIMER.first;
  return { index: Math.floor(from / TIMER.stride), at: from % TIMER.stride };
}

/** General configuration. */
export const CONFIGURATION = { enable: 1, legacyReplacement: 2 } as const;

/** Timer configuration, low half. */
export const TN = {
  level: 0x0002,
  enable: 0x0004,
  periodic: 0x0008,
  periodicCapable: 0x0010,
  size64Capable: 0x0020,
  setValue: 0x0040,
  mode32: 0x0100,
  routeShift: 9,
  routeMask: 0x3e00,
  writable: 0x7f4e,
} as const;

/** Three timers. */
export const TIMERS = 3;

/** Nanoseconds per tick: 100 MHz, as QEMU runs it. */
export const TICK = 10;

/** Vendor 8086h, legacy replacement, 64-bit counter, three timers, revision 1. */
export const CAPABILITIES_LOW = 0x8086a201;

/** Femtoseconds per tick. */
export const CAPABILITIES_HIGH = TICK * 1_000_000;

/** The interrupts a timer may be routed to: IOAPIC input 2 alone, on this machine. */
export const ROUTE_CAPABILITIES = 0x4;
