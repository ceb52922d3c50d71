import { describe, expect, test } from 'vitest';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import type { TapState } from '../../../src/net/tap/index.ts';
import { GSO, headerOf } from '../../../src/packets/offload.ts';
import type { BridgeConfig } from '../../../src/vmm/config.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { LONG } from '../../how-long.ts';
import { type Bench, bench } from '../bench.ts';

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const STATION = [2, 0, 0, 0, 0, 1];
const frame = (length = 60): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => [...BROADCAST, ...STATION, 0x88, 0xb5][at] ?? 0x5a);

const bridge = (name: string, ports: readonly string[]): BridgeConfig => ({ ...USUAL_BRIDGE, name, ports });

const pcap = (id: string) => ({ type: 'pcap', id, properties: {} });
const tap = (id: string) => ({ type: 'tap', id, properties: { script: 'no' } });

const ofKind = <K extends MachineEvent['kind']>({ events }: Bench, kind: K) =>
  events.filter((event): event is Extract<MachineEvent, { readonly kind: K }> => event.kind === kind);

describe('a tap', () => {
  /** A frame a microsecond goes from p to the tap t, whose card is not at work. */
  function filled(count: number, devices: Parameters<typeof bench>[0] = {}): Bench {
    const machine = bench({ netdevs: [pcap('p'), tap('t')], bridges: [bridge('br0', ['p', 't'])], ...devices });
    for (let sent = 0; sent < count; sent += 1) {
      machine.frame('pcap#0', frame());
      machine.liveTo(1000 * (sent + 1));
    }
    machine.liveTo(1000 * count + 1e6);
    return machine;
  }

  const stateOf = (machine: Bench): TapState => machine.state.vmm.devices['tap#1'] as unknown as TapState;

  test('keeps 500 frames for its reader: further ones are lost, and counted', () => {
    const machine = filled(510);
    expect(machine.state.vmm.net!.taps!['t']!.frames).toHaveLength(500);
    expect(ofKind(machine, 'sim:packet_dropped').map(({ client, why }) => `${client} ${why}`)).toEqual(
      new Array<string>(10).fill('t queue full'),
    );
    expect(stateOf(machine).tx).toMatchObject({ packets: 0, dropped: 10 });
  });

  test('is read 50 frames a turn', () => {
    const machine = filled(60);
    expect([machine.readTap('t'), machine.readTap('t'), machine.readTap('t')]).toEqual([50, 10, 0]);
    expect(stateOf(machine).tx).toMatchObject({ packets: 60, bytes: 3600 });
  });

  test('is read no more while its card takes nothing', () => {
    const devices = [{ driver: 'e1000', properties: { netdev: 't' } }];
    const machine = filled(3, { devices });
    expect(machine.readTap('t')).toBe(1);
    expect(machine.state.vmm.net!.taps!['t']).toMatchObject({
      isPolled: false,
      frames: [{ packet: 1 }, { packet: 2 }],
    });
    expect(machine.state.vmm.net!.clients['e1000.0']!.queue).toHaveLength(1);
    expect(ofKind(machine, 'sim:tap_poll')).toMatchObject([{ client: 't', on: false }]);
  });

  test('is counted once for each piece of what is cut for its reader', LONG, () => {
    const machine = filled(0);
    const segments = frame(54 + 3000);
    segments.set([0x08, 0, 0x45], 12);
    segments[23] = 6;
    segments[46] = 0x50;
    machine.sendPacket(
      'p',
      segments,
      headerOf({ needsChecksum: true, kind: GSO.tcp4, size: 1460, start: 34, offset: 16 }, 54),
    );
    machine.liveTo(2e6);
    expect(machine.readTap('t')).toBe(3);
    expect(machine.state.vmm.net!.clients['t']!.sent).toEqual({ packets: 3, bytes: 3 * 54 + 3000 });
  });

  test('wakes the main loop by what comes, once', () => {
    const machine = filled(3);
    expect(ofKind(machine, 'sim:thread_woken')).toHaveLength(1);
    const mainLoop = machine.state.schedule.threads.find(({ kind }) => kind === 'main-loop');
    expect(mainLoop).toMatchObject({ work: [{ tap: 't' }] });
  });
});

test('a loop of bridges without a spanning tree is a storm that has its bounds', LONG, () => {
  const names = ['br0', 'br1', 'br2', 'br3'];
  const bridges = names.map((name) =>
    bridge(
      name,
      names.filter((other) => other !== name),
    ),
  );
  const machine = bench({
    netdevs: [pcap('p')],
    bridges: [{ ...bridges[0]!, ports: [...bridges[0]!.ports, 'p'] }, ...bridges.slice(1)],
  });
  machine.frame('pcap#0', frame());
  machine.liveTo(6e5);
  const dropped = ofKind(machine, 'sim:packet_dropped');
  expect(new Set(dropped.map(({ why }) => why))).toEqual(new Set(['backlog full']));
  const forwarded = ofKind(machine, 'sim:bridge_forwarded');
  expect(forwarded.length).toBeLessThan(4 * (6e5 / 300));
  // What a bridge's core has not got to yet, and what is on its way, at each of its ports.
  expect(machine.state.vmm.net!.underway.length).toBeLessThan(4 * 1100);
});

test('four bridges that speak the protocol are no loop', LONG, () => {
  const stp = (name: string, ports: readonly string[]): BridgeConfig => ({ ...bridge(name, ports), stp: true });
  const names = ['br0', 'br1', 'br2', 'br3'];
  const bridges = names.map((name) =>
    stp(
      name,
      names.filter((other) => other !== name),
    ),
  );
  const machine = bench({
    netdevs: [pcap('p')],
    bridges: [{ ...bridges[0]!, ports: [...bridges[0]!.ports, 'p'] }, ...bridges.slice(1)],
  });
  machine.liveTo(40e9);
  const before = machine.events.length;
  machine.frame('pcap#0', frame());
  machine.liveTo(40e9 + 1e6);
  const events = machine.events.slice(before);
  expect(events.filter((event) => event.kind === 'sim:bridge_forwarded' && event.how === 'group')).toHaveLength(4);
});
