import { type LiveState, liveAtReset } from '../live/state.ts';
import type { TcpState } from '../tcp/state.ts';
import type { WorldState } from '../world/state.ts';

/** Who was heard of: an address of IPv4 (a number) or IPv6 (a bigint), and where it is on the link. */
export interface Neighbor<A extends number | bigint> {
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

/** A place of the DHCP server's: the address so many places after its first. */
export interface Lease {
  readonly isTaken: boolean;
  readonly ethernet: number;
}

/** How many addresses DHCP gives out. */
export const LEASES = 16;

/** A part of a datagram whose rest has not come. Bytes are Latin-1. */
export interface Fragment {
  /** In bytes. */
  readonly offset: number;
  readonly header: string;
  readonly bytes: string;
  readonly more: boolean;
}

/** What the parts of a datagram have in common. */
export interface DatagramName {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly id: number;
}

/** A datagram in parts: those that came, by their offsets, of which none overlap. */
export interface PartialDatagram extends DatagramName {
  /** Virtual nanosecond at which its first part came. */
  readonly since: number;
  readonly fragments: readonly Fragment[];
}

/** How many datagrams may be in parts: the oldest is forgotten for another. */
export const MOST_PARTIAL = 16;

/** A file on its way to a client. */
export interface TftpSession {
  /** Which of the server's places it has. */
  readonly place: number;
  /** Address and port. */
  readonly client: number | bigint;
  readonly port: number;
  /** Its name below the folder that is served. */
  readonly file: string;
  readonly blockSize: number;
  /** How many blocks have gone. */
  readonly block: number;
  /** Virtual nanosecond of the last block, or of the request. */
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

/** How many packets may wait so. */
export const MOST_UNRESOLVED = 64;

/** Where user networking stands. */
export interface UserNetState {
  /**
   * What came last, a byte a character, where facts say no more than where something lies in it: a frame, or of a
   * datagram in parts the packet of IP that they are.
   */
  readonly packet: string;
  /** IPv4 identification of its next packet. */
  readonly ipId: number;
  readonly arp: Neighbors<number>;
  readonly ndp: Neighbors<bigint>;
  readonly leases: readonly Lease[];
  readonly partial: readonly PartialDatagram[];
  readonly tftp: readonly TftpSession[];
  readonly unresolved: readonly Unresolved[];
  readonly tcp: TcpState;
  readonly world: WorldState;
  readonly live: LiveState;
}

/** As it begins, with the state of its connections, and of the hosts behind it. */
export const userNetAtReset = (tcp: TcpState, world: WorldState): UserNetState => ({
  packet: '',
  ipId: 0,
  arp: { known: [], next: 0 },
  ndp: { known: [], next: 0 },
  leases: Array.from({ length: LEASES }, () => ({ isTaken: false, ethernet: 0 })),
  partial: [],
  tftp: [],
  unresolved: [],
  tcp,
  world,
  live: liveAtReset(),
});

/** How long parts of a datagram wait for the others: nanoseconds. */
export const FRAGMENT_LIFE = 30_000_000_000;
