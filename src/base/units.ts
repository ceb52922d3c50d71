/**
 * What a number counts or where it points. A plain number may be given for any of them, and what is reckoned from one
 * is a plain number again; but one unit is never taken for another. They exist for the compiler alone.
 */
type Unit<Name extends string> = number & { readonly unit?: Name };

/** Guest-physical address. */
export type Gpa = Unit<'guest-physical address'>;
/** Guest frame: a guest-physical address in pages. */
export type Gfn = Unit<'guest frame'>;
/** Host-virtual address: where user space has guest memory. */
export type Hva = Unit<'host-virtual address'>;
/** Host-physical address: what the second level leads to. */
export type Hpa = Unit<'host-physical address'>;
/** Guest-virtual (linear) address: 64 bits, as registers hold it. */
export type Gva = bigint & { readonly unit?: 'guest-virtual address' };

/** Guest instructions retired by all vCPUs since power-on. */
export type Tick = Unit<'tick'>;
/** Virtual nanoseconds since power-on. */
export type Ns = Unit<'nanosecond'>;
/** Sequence number of an event, counted from 0. */
export type Seq = Unit<'sequence number'>;

/** Bytes of a disk's sector, as requests count them. */
export const SECTOR = 512;
