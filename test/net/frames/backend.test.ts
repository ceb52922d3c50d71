import { describe, expect, test } from 'vitest';
import type { EventOf, MachineEvent } from '../../../src/events/vocabulary.ts';
import { LONGEST_FRAME, MOST_HELD } from '../../../src/net/frames/state.ts';
import type { Device } from '../../../src/devices/device.ts';
import { framesBackend } from '../../../src/net/frames/backend.ts';
import type { FramesState } from '../../../src/net/frames/state.ts';
import { LONG } from '../../how-long.ts';
import { type Bench, bench } from '../../vmm/bench.ts';

const FRAME = Uint8Array.from({ length: 60 }, (_, at) => at);
const [ONE, OTHER] = ['frames#0', 'frames#1'] as const;

/** Two backends on a hub: what comes in at one leaves by the other. */
const joined = (): Bench =>
  bench({
    netdevs: [
      { type: 'frames', id: 'one', properties: {} },
      { type: 'frames', id: 'other', properties: {} },
      { type: 'hubport', id: 'h0', hub: 0, netdev: 'one', properties: {} },
      { type: 'hubport', id: 'h1', hub: 0, netdev: 'other', properties: {} },
    ],
  });

/** A card whose driver has not come up takes nothing. */
const atCard = (): Bench =>
  bench({
    devices: [{ driver: 'e1000', properties: { netdev: 'one', mac: '52:54:00:12:34:56' } }],
    netdevs: [{ type: 'frames', id: 'one', properties: {} }],
  });

const frame = (bytes = FRAME, dev: string = ONE): MachineEvent => ({ kind: 'sim:frame_received', dev, bytes });
const carrier = (up: boolean, info = ''): MachineEvent => ({
  kind: 'sim:carrier_set',
  dev: OTHER,
  up,
  info,
  why: '',
});
const stalled = (is: boolean): MachineEvent => ({ kind: 'sim:frames_stalled', dev: OTHER, stalled: is });

const ofKind = <K extends MachineEvent['kind']>({ events }: Bench, kind: K): readonly EventOf<K>[] =>
  events.filter((event): event is EventOf<K> => event.kind === kind);

const stateOf = ({ state }: Bench, dev: string): FramesState =>
  (state.vmm.devices as unknown as Record<string, FramesState>)[dev]!;

describe('a wire that goes on outside', () => {
  test('brings what comes to the other end, and tells what leaves by its number alone', () => {
    const machine = joined();
    machine.hear(frame());
    const [sent] = ofKind(machine, 'sim:packet_sent');
    expect(sent).toMatchObject({ client: 'one', bytes: FRAME });
    expect(ofKind(machine, 'sim:frame_left')).toEqual([{ kind: 'sim:frame_left', dev: OTHER, packet: sent!.packet }]);
    expect(stateOf(machine, OTHER).left).toBe(1);
    expect(stateOf(machine, ONE)).toMatchObject({ left: 0, held: 0, refused: 0 });
  });

  test('loses what is sent to nobody, and what nobody sent', LONG, () => {
    const machine = joined();
    machine.hear(carrier(false));
    machine.hear(frame());
    expect(ofKind(machine, 'sim:frame_left')).toEqual([]);
    expect(ofKind(machine, 'sim:packet_dropped')).toMatchObject([{ client: 'other', packet: 0 }]);
    machine.hear(frame(FRAME, OTHER));
    expect(ofKind(machine, 'sim:frame_refused')).toMatchObject([{ dev: OTHER, len: 60, why: 'nobody sent it' }]);
    machine.hear(carrier(true, 'tcp:127.0.0.1:4000'));
    machine.hear(frame());
    expect(ofKind(machine, 'sim:frame_left')).toHaveLength(1);
    expect(stateOf(machine, OTHER)).toMatchObject({ isUp: true, info: 'tcp:127.0.0.1:4000', refused: 1 });
  });

  test('has what leaves wait while nobody takes it, in order', LONG, () => {
    const machine = joined();
    machine.hear(stalled(true));
    machine.hear(frame());
    machine.hear(frame(FRAME.slice(0, 20)));
    expect(ofKind(machine, 'sim:frame_left')).toEqual([]);
    expect(stateOf(machine, ONE).held).toBe(2);
    machine.hear(stalled(false));
    expect(ofKind(machine, 'sim:frame_taken')).toHaveLength(2);
    expect(stateOf(machine, ONE).held).toBe(0);
    expect(ofKind(machine, 'sim:frame_left').map(({ packet }) => packet)).toEqual([0, 1]);
  });

  test('has what comes wait for a card, and no more than so much', () => {
    const machine = atCard();
    for (let frames = 0; frames < MOST_HELD + 3; frames += 1) machine.hear(frame());
    expect(ofKind(machine, 'sim:frame_held')).toHaveLength(MOST_HELD);
    expect(ofKind(machine, 'sim:frame_refused').map(({ why }) => why)).toEqual(Array(3).fill('too many wait'));
    expect(machine.state.vmm.net?.clients['e1000.0']?.queue).toHaveLength(MOST_HELD);
  });

  test.each([0, LONGEST_FRAME + 1])('is no place for frames of %d bytes', LONG, (length) => {
    const machine = joined();
    machine.hear(frame(new Uint8Array(length)));
    expect(ofKind(machine, 'sim:packet_sent')).toEqual([]);
    expect(ofKind(machine, 'sim:frame_refused')).toMatchObject([{ dev: ONE, len: length }]);
    machine.hear(frame(new Uint8Array(LONGEST_FRAME)));
    expect(ofKind(machine, 'sim:frame_left')).toHaveLength(1);
  });

  test('keeps no more of what the monitor says than that shows', LONG, () => {
    const machine = joined();
    machine.hear(carrier(true, 'x'.repeat(5000)));
    expect(stateOf(machine, OTHER).info).toHaveLength(255);
  });

  test('says how it stands', LONG, () => {
    const machine = joined();
    machine.hear(carrier(false));
    const device: Device<FramesState> = framesBackend('frames');
    expect(device.describe(stateOf(machine, OTHER))).toMatchObject({ carrier: 'off', left: '0 frames' });
  });
});
