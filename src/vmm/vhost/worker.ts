/** A worker of the kernel does one piece of work: a notification of a ring, or what waits in the tap's queue. */
import { invariant } from '../../base/invariant.ts';
import type { Machine } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import { clientNamed, vhostTapOf } from '../net/clients.ts';
import { receive } from './receive.ts';
import type { Ran } from './served.ts';
import { RX, TX } from './state.ts';
import { transmit } from './transmit.ts';

/** What made it work: an eventfd of a ring, or a tap with frames. */
export interface VhostWork {
  readonly fd?: number;
  readonly tap?: string;
}

/** What it did, and at which ring of which tap. */
export interface VhostRan extends Ran {
  readonly client: string;
  readonly queue: number;
}

export function serveVhost(machine: Machine, { fd, tap: name }: VhostWork, callOf: CallOf): VhostRan {
  const { id = RX, dev = '' } = machine.state.eventfds[fd ?? -1] ?? {};
  const queue = name === undefined ? id % 2 : RX;
  const tap = name === undefined ? vhostTapOf(machine, dev, id) : clientNamed(machine, name);
  invariant(tap !== undefined, 'a worker of the kernel serves a tap', { fd });
  const served = { machine, tap, queue };
  return { client: tap.name, queue, ...(queue === TX ? transmit(served, callOf) : receive(served)) };
}
