import { expect, test } from 'vitest';
import { fromLatin1 } from '../../../src/base/bytes.ts';
import type { MachineConfig } from '../../../src/vmm/config.ts';
import type { UserNetState } from '../../../src/net/user/index.ts';
import { setupOf } from '../../net/wire.ts';
import { arp, echoMessage, fragments } from '../../oracle/slirp/frames.ts';
import { bench } from '../bench.ts';

const user = (id: string) => ({ type: 'user', id, properties: { ...setupOf() } });
const port = (id: string, netdev: string) => ({ type: 'hubport', id, hub: 0, netdev, properties: {} });

/** Somebody whose frames a test makes up, and two user networks, on one hub. */
const NETDEVS = [
  { type: 'pcap', id: 'in', properties: {} },
  ...[user('u0'), user('u1')],
  ...[port('p0', 'in'), port('p1', 'u0'), port('p2', 'u1')],
] as unknown as MachineConfig['netdevs'];

type Machine = ReturnType<typeof bench>;

const packetOf = ({ state }: Machine, part: number): Uint8Array =>
  fromLatin1((state.vmm.devices[`user#${part}`] as unknown as UserNetState).packet);

/** Bytes of packets on record, by the kinds of facts that have them. */
function recorded({ events }: Machine): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const event of events) {
    if ('bytes' in event && event.kind.startsWith('sim:packet_')) {
      sums[event.kind] = (sums[event.kind] ?? 0) + (event.bytes as Uint8Array).length;
    }
  }
  return sums;
}

/** What one sends to a hub that two user networks are at. */
function sent(...frames: readonly Uint8Array[]): Machine {
  const machine = bench({ netdevs: NETDEVS! });
  for (const frame of frames) {
    machine.sendPacket('in', frame);
    machine.passTo(machine.state.clock.warpedNs + 1000);
  }
  return machine;
}

test('who takes a packet has its bytes from the state: they are on record once', () => {
  const frame = fragments(echoMessage(3000), 1480)[0]!;
  const machine = sent(frame);
  expect([packetOf(machine, 1), packetOf(machine, 2)]).toEqual([frame, frame]);
  expect(recorded(machine)).toEqual({ 'sim:packet_sent': frame.length, 'sim:packet_delivered': 0 });
});

test('of two on a hub each has the bytes of what it took last, though others have been sent since', () => {
  const machine = sent(arp('10.0.2.2'));
  const bytes = new Map<number, Uint8Array>();
  const last = new Map<string, number>();
  for (const event of machine.events) {
    if (event.kind === 'sim:packet_sent') bytes.set(event.packet, event.bytes);
    if (event.kind === 'sim:packet_delivered') last.set(event.client, event.packet);
  }
  // The question, and the answer of each, which the other hears.
  expect(bytes.size).toBe(3);
  expect(packetOf(machine, 1)).toEqual(bytes.get(last.get('u0')!));
  expect(packetOf(machine, 2)).toEqual(bytes.get(last.get('u1')!));
  // The one asked second takes the question when the first one's answer was sent last.
  expect(recorded(machine)['sim:packet_delivered']).toBe(bytes.get(0)!.length);
});
