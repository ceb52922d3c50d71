import type { Ns } from '../../base/units.ts';
import type { ParsedTcp } from '../../packets/tcp.ts';
import type { Addressed, UserNet } from '../user/part.ts';
import { comesThrough } from '../world/link.ts';
import { arrived } from './input.ts';
import { expire, rearm } from './timers.ts';

export { TCP_FACTS } from './evolve.ts';
export type { TcpState } from './state.ts';
export { TCP_TIMERS } from './timers.ts';

/** A segment whose checksum holds, to whoever has its destination. */
export function receiveSegment(net: UserNet, ip: Addressed, segment: ParsedTcp): void {
  if (!comesThrough(net, ip)) return;
  arrived(net, ip, segment);
  rearm(net);
}

/** The machine is powered on: what hosts do of their own accord is armed. */
export const powerOnTcp = (net: UserNet): void => rearm(net);

/** One of `TCP_TIMERS` fired, which was due at `deadline`. */
export function expireTcp(net: UserNet, timer: string, _deadline: Ns): void {
  expire(net, timer);
}
