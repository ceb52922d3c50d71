/** Queues of a backend that a card uses, and no others. QEMU 7.2: virtio_net_set_queue_pairs. */
import type { Machine, Part } from '../board/machine.ts';
import type { CallOf } from '../board/pins.ts';
import type { NetClientConfig } from '../config.ts';
import { drop, partOf, peerOf, queuesOfPart } from './clients.ts';
import { queueOfTap } from './kernel.ts';
import { purge } from './wire.ts';

/** What waits in a queue that is not used any more is gone. */
const WHY = 'queue detached';

/** The first so many are used. */
export function attachQueues(machine: Machine, card: Part, queues: number, callOf: CallOf): void {
  for (const [queue, client] of queuesOfPart(machine, card).entries()) {
    const tap = peerOf(machine, client);
    const part = tap === undefined ? undefined : partOf(machine, tap);
    if (tap === undefined || part?.device.queueSet === undefined) continue;
    const isOn = queue < queues;
    const { frames } = queueOfTap(machine, tap);
    part.device.queueSet(machine.stateOf(part), queue, isOn, callOf(machine, part));
    if (!isOn) lose(machine, { tap, client, frames }, callOf);
  }
}

interface Detached {
  readonly tap: NetClientConfig;
  readonly client: NetClientConfig;
  readonly frames: readonly { readonly packet: number }[];
}

function lose(machine: Machine, { tap, client, frames }: Detached, callOf: CallOf): void {
  for (const { packet } of frames) drop(machine, tap, { number: packet }, WHY);
  purge(machine, client, WHY, callOf);
}
