/** Two guests and an uplink on a Linux bridge, as they were captured: what each is given of what the others send. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHexadecimal, octetsText } from '../../../src/base/bytes.ts';
import type { BridgeState } from '../../../src/net/bridge/index.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { type Bench, bench } from '../../vmm/bench.ts';

const PORTS = ['eth0', 'tap0', 'tap1'];
const A = '52:54:00:00:00:0a';
const B = '52:54:00:00:00:0b';
/** Behind eth0: the uplink, and the host itself, whose bridge answered as well. */
const UPLINK = '52:54:00:00:00:fe';
const HOST = '2e:69:29:e7:49:ca';

interface Captured {
  readonly ns: number;
  readonly ifname: string;
  readonly isSent: boolean;
  readonly bytes: Uint8Array;
}

const CAPTURED: readonly Captured[] = readFileSync(new URL('recorded/two-guests.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [us = '', ifname = '', way, length, head = ''] = line.split(' ');
    const bytes = new Uint8Array(Number(length));
    bytes.set(fromHexadecimal(head));
    return { ns: Number(us) * 1000, ifname, isSent: way === '>', bytes };
  });

const sourceOf = ({ bytes }: Pick<Captured, 'bytes'>): string => octetsText(bytes.subarray(6, 12));

/** What an end of a wire is given of one source, in order: the first bytes of each frame. */
const given = (frames: readonly Pick<Captured, 'bytes'>[], source: string): string[] =>
  frames
    .filter((frame) => sourceOf(frame) === source)
    .map(({ bytes }) => `${bytes.length} ${bytes.subarray(0, 42).join(' ')}`);

function played(): { readonly machine: Bench; readonly delivered: Map<string, { readonly bytes: Uint8Array }[]> } {
  const machine = bench({
    netdevs: PORTS.map((id) => ({ type: 'pcap', id, properties: {} })),
    bridges: [{ ...USUAL_BRIDGE, name: 'br0', ports: PORTS }],
  });
  // The uplink's frames are seen where a guest is given them.
  const sent = CAPTURED.filter((frame) => frame.isSent || [UPLINK, HOST].includes(sourceOf(frame)));
  for (const { ns, ifname, isSent, bytes } of sent) {
    machine.liveTo(ns);
    machine.frame(`pcap#${PORTS.indexOf(isSent ? ifname : 'eth0')}`, bytes);
  }
  machine.liveTo(CAPTURED.at(-1)!.ns + 1e9);
  const bytes = new Map<number, Uint8Array>();
  const delivered = new Map(PORTS.map((port): [string, { readonly bytes: Uint8Array }[]] => [port, []]));
  for (const event of machine.events) {
    if (event.kind === 'sim:packet_sent') bytes.set(event.packet, event.bytes);
    if (event.kind === 'sim:packet_delivered') delivered.get(event.client)?.push({ bytes: bytes.get(event.packet)! });
  }
  return { machine, delivered };
}

describe('two guests and an uplink on a bridge', () => {
  const { machine, delivered } = played();

  test.each([
    ['tap0', B],
    ['tap0', UPLINK],
    ['tap0', HOST],
    ['tap1', A],
  ])('%s is given what %s sends, and nothing else', (ifname, source) => {
    const captured = CAPTURED.filter((frame) => frame.ifname === ifname && !frame.isSent);
    expect(given(delivered.get(ifname)!, source)).toEqual(given(captured, source));
    expect(delivered.get(ifname)).toHaveLength(captured.length);
  });

  test('it has learned who is where: the rest of the time none moved', () => {
    const learned = machine.events.filter(({ kind }) => kind === 'sim:bridge_learned' || kind === 'sim:bridge_moved');
    expect(learned).toMatchObject([
      { mac: A, port: 'tap0' },
      { mac: B, port: 'tap1' },
      { mac: HOST, port: 'eth0' },
      { mac: UPLINK, port: 'eth0' },
    ]);
    const { fdb } = machine.state.vmm.devices['br0#0'] as unknown as BridgeState;
    expect(Object.keys(fdb)).toEqual([A, B, HOST, UPLINK]);
  });
});
