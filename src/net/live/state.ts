import type { Ns } from '../../base/units.ts';
import type { Address } from '../tcp/connection.ts';

/** What the host's resolver has said of a name that a rule has. */
export interface KnownName {
  readonly name: string;
  readonly address: Address;
}

/** A question to the resolver that the host has not answered. */
export interface Query {
  readonly query: number;
  readonly name: string;
  readonly client: Address;
  readonly port: number;
  readonly resolver: Address;
  /** The message, in Latin-1. */
  readonly bytes: string;
}

/** Where datagrams go between the guest and a socket of the host's. */
export interface Way {
  readonly way: number;
  readonly guest: Address;
  readonly guestPort: number;
  readonly host: Address;
  readonly hostPort: number;
  /** Virtual nanosecond of the last datagram. */
  readonly at: Ns;
}

/** What user networking has of the host's network, beside its connections. */
export interface LiveState {
  readonly names: readonly KnownName[];
  readonly queries: readonly Query[];
  readonly ways: readonly Way[];
  /** The number of the last way or query. */
  readonly numbered: number;
}

/** The oldest are forgotten for others. */
export const MOST_NAMES = 256;
export const MOST_QUERIES = 32;
export const MOST_WAYS = 64;

export const liveAtReset = (): LiveState => ({ names: [], queries: [], ways: [], numbered: 0 });
