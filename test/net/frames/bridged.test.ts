import { expect, test } from 'vitest';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { internetChecksum } from '../../../src/packets/checksum.ts';
import { headerOf } from '../../../src/packets/offload.ts';
import { Departures } from '../../../src/runs/fabric/departures.ts';
import { USUAL_BRIDGE } from '../../../src/vmm/pc/bridge-parts.ts';
import { LONG } from '../../how-long.ts';
import { type Bench, bench } from '../../vmm/bench.ts';

const bridge = (name: string, ports: readonly string[]) => ({ ...USUAL_BRIDGE, name, ports });
const backend = (type: string, id: string) => ({ type, id, properties: type === 'tap' ? { script: 'no' } : {} });

/** Somebody whose frames a test makes up, a tap, and a wire that goes on outside, on a bridge. */
const joined = (): Bench =>
  bench({
    netdevs: [backend('pcap', 'p'), backend('tap', 't'), backend('frames', 'f')],
    bridges: [bridge('br0', ['p', 't', 'f'])],
  });

const START = 14;
/** To everybody, with a checksum at its byte 16 over all behind the first 14. */
const unfinished = (): Uint8Array =>
  Uint8Array.from({ length: 80 }, (_, at) => (at < 6 ? 0xff : at === 6 ? 2 : at === 16 || at === 17 ? 0 : at));
const HEADER = headerOf({ needsChecksum: true, kind: 0, size: 0, start: START, offset: 2 }, 0);

/** What leaves, as whoever carries it has it. */
function leaving({ events }: Bench): readonly Uint8Array[] {
  const departures = new Departures(() => 0);
  for (const event of events) {
    departures.next({ seq: 0, tick: 0, source: 0, cause: undefined, within: undefined, event });
  }
  return departures.takeAll().map(({ bytes }) => bytes);
}

const stalled = (is: boolean): MachineEvent => ({ kind: 'sim:frames_stalled', dev: 'frames#2', stalled: is });

test.each([false, true])('what leaves by a bridge is finished, and on record as it leaves; waiting: %s', (waits) => {
  const machine = joined();
  if (waits) machine.hear(stalled(true));
  machine.sendPacket('p', unfinished(), HEADER);
  machine.liveTo(1e6);
  if (waits) machine.hear(stalled(false));
  const [left, ...more] = leaving(machine);
  expect(more).toEqual([]);
  expect(left).toHaveLength(80);
  expect(internetChecksum(left!.subarray(START))).toBe(0);
  // To the tap, whose reader takes no checksums, it is told finished once more: by the kernel.
  expect(machine.state.vmm.net!.taps!['t']!.frames).toHaveLength(1);
  expect(machine.state.vmm.net!.atHand?.header).toBeUndefined();
});

test('of a frame that goes round while nobody takes it outside no copy is lost', LONG, () => {
  const machine = bench({
    netdevs: [backend('pcap', 'p'), backend('frames', 'f')],
    bridges: [bridge('br0', ['p', 'f', 'br1', 'br2']), bridge('br1', ['br2']), bridge('br2', [])],
  });
  const waiting = (): number => machine.state.vmm.net!.clients['f']!.queue.length;
  const copies = (): number =>
    waiting() + machine.state.vmm.net!.underway.filter(({ client }) => client === 'f').length;
  machine.hear({ kind: 'sim:frames_stalled', dev: 'frames#1', stalled: true });
  machine.sendPacket('p', unfinished());
  machine.liveTo(1e5);
  expect(waiting()).toBeGreaterThan(1);
  const before = copies();
  machine.hear({ kind: 'sim:frames_stalled', dev: 'frames#1', stalled: false });
  expect(waiting()).toBe(0);
  expect(leaving(machine).length + copies()).toBe(before);
});
