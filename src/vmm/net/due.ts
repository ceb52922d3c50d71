import type { Ns } from '../../base/units.ts';
import type { NetState, PacketUnderway } from '../state.ts';

/** The packet that arrives next. */
export const nextToArrive = (net: NetState | undefined): PacketUnderway | undefined => net?.underway[0];

/** Virtual nanosecond at which a packet arrives next, or cards are announced; Infinity: neither is to come. */
export const earliestOnWires = (net: NetState | undefined): Ns =>
  Math.min(nextToArrive(net)?.due ?? Number.POSITIVE_INFINITY, ...(net?.announcing ?? []).map(({ due }) => due));
