import { expect, test } from 'vitest';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { LONG } from '../../how-long.ts';
import { type Guest, structure } from '../../oracle/devices/virtio/guest.ts';
import { ourMachine } from '../../oracle/devices/virtio/ours.ts';
import { netAtWork, putFrame } from '../../oracle/devices/virtio/scripts/net-work.ts';

/** What becomes of packets from an event on. */
const fates = (events: readonly MachineEvent[]): string[] =>
  events.flatMap((event) =>
    event.kind === 'sim:packet_queued' || event.kind === 'sim:packet_forwarded'
      ? [`${event.kind} ${event.client} ${event.packet}`]
      : [],
  );

/** Virtio 1.2, 4.1.4.3: queue_select, queue_reset. */
async function resetQueue(guest: Guest, queue: number): Promise<void> {
  await guest.write(structure('common') + 22, 2, queue);
  await guest.write(structure('common') + 58, 2, 1);
}

/** A receiver that is off takes nothing: at the hub's port frames wait for whoever is behind it. */
test.each([
  ['reset', 0],
  ['reset of the queue', 1],
])('what a card of virtio sent and waits goes on at its %s', LONG, async (_name, at) => {
  const { machine, guest } = ourMachine({ driver: 'virtio-net-pci', properties: {} }, [
    { driver: 'e1000', properties: { netdev: 'far', mac: '52:54:00:12:34:57' } },
  ]);
  const work = await netAtWork(guest, () => undefined, { isModern: true, hasMsix: true, features: 0x20, high: 0x100 });
  const { clients } = machine.state.vmm.net!;
  for (let count = 0; count < 2; count++) {
    await work.tx.add([[work.out, await putFrame(work, 60), false]]);
    await work.tx.kick();
  }
  const [port] = Object.entries(clients).find(([, { queue }]) => queue.length > 0)!;
  expect(machine.state.vmm.net!.clients[port]!.queue.map(({ sender }) => sender)).toEqual(['virtio-net-pci.0']);
  const before = machine.events.length;
  if (at === 0) await work.driver.setStatus(0);
  else await resetQueue(guest, 1);
  const later = machine.state.vmm.net!.clients;
  expect(later[port]!.queue).toEqual([]);
  expect(fates(machine.events.slice(before))).toEqual(
    (at === 0 ? [0] : [0, 1]).flatMap((packet) => [
      ...(packet === 0 ? [] : [`sim:packet_queued ${port} ${packet}`]),
      `sim:packet_forwarded ${port} ${packet}`,
      `sim:packet_queued e1000.0 ${packet}`,
    ]),
  );
});
