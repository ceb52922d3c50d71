import type { Ns } from '../../base/units.ts';
import type { Connection } from './connection.ts';
import { plus } from './sequence.ts';

/** All of a user network's TCP. */
export interface TcpState {
  /** By number, counted from 1. */
  readonly connections: Readonly<Record<number, Connection>>;
  readonly opened: number;
  /** The first sequence number of the connection opened last, and when. */
  readonly lastFirst: number;
  readonly lastAt: Ns;
}

/** As it begins. */
export const tcpAtReset = (): TcpState => ({ connections: {}, opened: 0, lastFirst: 1, lastAt: 0 });

/** slirp counts on from 1 by this much for each connection, and each half second while there is one. */
const FIRST_STEP = 64_000;
const HALF_SECOND = 499_000_000;

/** The first sequence number of the next connection: slirp's tcp_iss. */
export function nextFirst({ connections, lastFirst, lastAt }: TcpState, now: Ns): number {
  const halves = Object.keys(connections).length === 0 ? 0 : Math.floor((now - lastAt) / HALF_SECOND);
  return plus(lastFirst, FIRST_STEP * (1 + halves));
}
