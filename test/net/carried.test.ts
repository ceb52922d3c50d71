import { expect, test } from 'vitest';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import { headerOf } from '../../src/packets/offload.ts';
import { Departures } from '../../src/runs/fabric/departures.ts';
import { USUAL_BRIDGE } from '../../src/vmm/pc/bridge-parts.ts';
import { type Bench, bench } from '../vmm/bench.ts';

const NOTHING = new Uint8Array(0);
const START = 34;
/** To everybody, of IPv4 and TCP as far as lengths go; its checksum is left to be made. */
const frame = (length = 80): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at < 6 ? 0xff : at === 6 ? 2 : at === 14 ? 0x45 : at === 46 ? 0x50 : at % 7));
const LEFT = headerOf({ needsChecksum: true, kind: 0, size: 0, start: START, offset: 16 }, 0);
/** Its checksum would lie beyond its end. */
const FLAWED = headerOf({ needsChecksum: true, kind: 0, size: 0, start: 70, offset: 60 }, 0);

const came = (dev: string, bytes: Uint8Array, header: Uint8Array = NOTHING): MachineEvent => ({
  ...{ kind: 'sim:packet_received', dev, bytes, header },
});

/** What leaves, with what is left to be done to it. */
function leaving({ events }: Bench): readonly { dev: string; bytes: Uint8Array; header: Uint8Array }[] {
  const departures = new Departures(() => 0);
  for (const event of events) {
    departures.next({ seq: 0, tick: 0, source: 0, cause: undefined, within: undefined, event });
  }
  return departures.takeAll().map(({ dev, bytes, header }) => ({ dev, bytes, header }));
}

const withTap = (): Bench =>
  bench({
    netdevs: [{ type: 'tap', id: 't', properties: { br: 'br0', carried: true } }],
    devices: [{ driver: 'virtio-net-pci', properties: { netdev: 't' } }],
  });

test('a tap whose bridge is elsewhere tells what it was written, as it was', () => {
  const machine = withTap();
  machine.sendPacket('virtio-net-pci.0', frame(), LEFT);
  machine.sendPacket('virtio-net-pci.0', frame(), FLAWED);
  machine.liveTo(1e6);
  expect(leaving(machine)).toEqual([{ dev: 'tap#0', bytes: frame(), header: LEFT }]);
  expect(machine.state.config.bridges).toBeUndefined();
});

test('what comes from there waits for its reader: 500 of them, others are lost and counted, as are broken ones', () => {
  const machine = withTap();
  machine.hear(came('tap#0', frame(10)));
  machine.hear(came('tap#0', frame(), FLAWED));
  for (let count = 0; count < 620; count += 1) machine.hear(came('tap#0', frame()));
  const { frames } = machine.state.vmm.net!.taps!['t']!;
  expect(frames).toHaveLength(500);
  expect(machine.vmm.describeDevice('tap#0')).toMatchObject({
    received: '0 packets, 0 bytes, 2 wrong',
    sent: '0 packets, 0 bytes, 120 lost',
  });
  expect(machine.readTap('t')).toBeGreaterThan(0);
});

test('interfaces that lead elsewhere hand packets on as they are, to others of their bridge', () => {
  const joined = (id: string, tap: boolean) => ({ type: 'interface', id, properties: { tap } });
  const machine = bench({
    netdevs: [joined('tap0', true), joined('tap1', true), joined('br1', false)],
    bridges: [{ ...USUAL_BRIDGE, name: 'br0', number: 3, stp: true, ports: ['tap0', 'tap1', 'br1'] }],
  });
  // What the tree takes to open its ports.
  machine.liveTo(31e9);
  machine.events.length = 0;
  machine.hear(came('interface#0', frame(), LEFT));
  machine.hear(came('interface#1', frame(), FLAWED));
  machine.hear(came('interface#2', NOTHING));
  machine.liveTo(31.001e9);
  expect(leaving(machine)).toEqual([
    { dev: 'interface#1', bytes: frame(), header: LEFT },
    { dev: 'interface#2', bytes: frame(), header: LEFT },
  ]);
  expect(machine.events.filter(({ kind }) => kind === 'sim:frame_refused')).toEqual([
    expect.objectContaining({ dev: 'interface#1', why: 'bad header' }),
    expect.objectContaining({ dev: 'interface#2', why: 'empty' }),
  ]);
  // Its addresses are those of the fourth bridge of a run: no other's.
  expect(Object.values(machine.state.vmm.devices).find((each) => 'tree' in each)).toMatchObject({
    tree: { root: '8000fefd00030001' },
  });
});
