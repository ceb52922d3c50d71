import type { Ns } from '../../base/units.ts';
import type { NetState, PacketUnderway } from '../state.ts';

/** The packet that arrives next. */
export const nextToArrive = (net: NetState | undefined): PacketUnderway | undefined => net?.underway[0];

/** Virtual nanosecond at which a packet arrives next; Infinity: none is on its way. */
export const earliestArrival = (net: NetState | undefined): Ns => nextToArrive(net)?.due ?? Number.POSITIVE_INFINITY;
