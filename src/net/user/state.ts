import type { TcpState } from '../tcp/index.ts';

/** Who was heard of: an address of IPv4 (a number) or IPv6 (a bigint), and where it is on the link. */
export interface Neighbor<A extends number | bigint = number | bigint> {
  readonly address: A;
  readonly ethernet: number;
}

/** Neighbors in their places, and which place the next stranger takes. */
export interface Neighbors<A extends number | bigint> {
  /** At most `MOST_NEIGHBORS`. */
  readonly known: readonly Neighbor<A>[];
  readonly next: number;
}

export const MOST_NEIGHBORS = 16;

/** A place of the DHCP server's: the address `place` places after its first. */
export interface Lease {
  readonly isTaken: boolean;
  readonly ethernet: number;
}

export const LEASES = 16;

/** A part of a datagram whose rest has not come. */
export interface Fragment {
  /** In bytes. */
  readonly offset: number;
  /** Latin-1. */
  readonly bytes: string;
  readonly more: boolean;
}

/** A datagram in parts: those that came, by their offsets. */
export interface PartialDatagram {
  readonly id: number;
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  /** Virtual nanosecond at which its first part came. */
  readonly since: number;
  readonly fragments: readonly Fragment[];
}

/** A file on its way to a client. */
export interface TftpSession {
  readonly address: number | bigint;
  readonly port: number;
  /** Its name below the folder that is served. */
  readonly file: string;
  readonly blockSize: number;
  /** The number of the next block, not wrapped, less one. */
  readonly block: number;
  /** Virtual nanosecond at which a block was sent last. */
  readonly at: number;
}

/** A packet for somebody whose place on the link is being asked for. */
export interface Unresolved {
  readonly address: number | bigint;
  /** A packet of IP, in Latin-1. */
  readonly bytes: string;
  /** Virtual nanosecond after which it is not sent any more. */
  readonly until: number;
}

/** Where user networking stands. */
export interface UserNetState {
  /** IPv4 identification of its next packet. */
  readonly ipId: number;
  readonly arp: Neighbors<number>;
  readonly ndp: Neighbors<bigint>;
  /** All `LEASES` places. */
  readonly leases: readonly Lease[];
  readonly partial: readonly PartialDatagram[];
  readonly tftp: readonly TftpSession[];
  readonly unresolved: readonly Unresolved[];
  readonly tcp: TcpState;
}
