/** What a device and a tap may ask of vhost: the kernel serving rings. */
import type { Gpa } from '../base/units.ts';

/** A ring that the kernel is to serve: guest-physical addresses of its parts, and how far it was taken. */
export interface VhostRing {
  readonly size: number;
  readonly desc: Gpa;
  readonly avail: Gpa;
  readonly used: Gpa;
  readonly lastAvail: number;
  readonly vector: number;
}

/** What the kernel is to serve, with features a driver has accepted: two rings of each queue of a tap. */
export interface VhostStart {
  readonly features: readonly [low: number, high: number];
  readonly rings: readonly VhostRing[];
}

export interface VhostCalls {
  /** A queue of a tap may have a vhost device: it is opened. */
  openVhost(queue: number): void;
  /**
   * The kernel serves these rings from now on, between them and the tap at the other end of the wire. False: it cannot,
   * which is on record. QEMU's vhost_net_start.
   */
  startVhost(start: VhostStart): boolean;
  /** It does so no more for so many rings. Returns how far it took each. QEMU's vhost_net_stop. */
  stopVhost(rings: number): readonly number[];
  /** A driver's notification of a ring that the kernel serves came by another way. */
  kickVhost(queue: number): void;
}
