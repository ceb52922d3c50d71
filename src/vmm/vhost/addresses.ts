import type { Gpa, Hva } from '../../base/units.ts';

/** struct vhost_vring_addr without index and flags: where the parts of a ring lie, and where the used one is logged. */
export const ringAddresses = (ring: {
  readonly desc: Hva;
  readonly used: Hva;
  readonly avail: Hva;
  readonly log: Gpa;
}): Uint8Array => new Uint8Array(BigUint64Array.from([ring.desc, ring.used, ring.avail, ring.log].map(BigInt)).buffer);
