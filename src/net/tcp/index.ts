import type { Ns } from '../../base/units.ts';
import type { FactReducers } from '../../devices/device.ts';
import type { ParsedTcp } from '../../packets/tcp.ts';
import type { Addressed, UserNet } from '../user/part.ts';

/** The state of all connections. */
export type TcpState = Readonly<Record<string, never>>;

/** As it begins. */
export const tcpAtReset = (): TcpState => ({});

/** Timers of connections: names of the device's. */
export const TCP_TIMERS: readonly string[] = [];

/** How facts change it. */
export const TCP_FACTS: FactReducers<{ readonly tcp: TcpState }> = {};

/** A segment whose checksum holds, to whoever has its destination. */
export function receiveSegment(_net: UserNet, _ip: Addressed, _segment: ParsedTcp): void {}

/** One of `TCP_TIMERS` fired, which was due at `deadline`. */
export function expireTcp(_net: UserNet, _timer: string, _deadline: Ns): void {}
