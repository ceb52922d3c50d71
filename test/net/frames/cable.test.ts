import { describe, expect, test } from 'vitest';
import type { EventOf, MachineEvent } from '../../../src/events/vocabulary.ts';
import { cableRules, CABLE_PROPERTIES } from '../../../src/net/frames/cable.ts';
import { type Bench, bench } from '../../vmm/bench.ts';

const FRAMES = 200;
const LENGTH = 976;

/** A backend that brings frames to another on its hub, which sends them on over a cable with these faults. */
function sentOver(properties: Readonly<Record<string, string | number>>, frames = FRAMES): Bench {
  const machine = bench({
    netdevs: [
      { type: 'frames', id: 'one', properties: {} },
      { type: 'frames', id: 'other', properties },
      { type: 'hubport', id: 'h0', hub: 0, netdev: 'one', properties: {} },
      { type: 'hubport', id: 'h1', hub: 0, netdev: 'other', properties: {} },
    ],
  });
  for (let each = 0; each < frames; each += 1) {
    machine.hear({ kind: 'sim:frame_received', dev: 'frames#0', bytes: new Uint8Array(LENGTH).fill(each) });
  }
  return machine;
}

const ofKind = <K extends MachineEvent['kind']>({ events }: Bench, kind: K): readonly EventOf<K>[] =>
  events.filter((event): event is EventOf<K> => event.kind === kind);

const leftBy = (machine: Bench): readonly number[] => ofKind(machine, 'sim:frame_left').map(({ packet }) => packet);

describe('a cable', () => {
  test('loses frames by chance, each with a word, and no others', () => {
    const machine = sentOver({ loss: '0.25' });
    const lost = ofKind(machine, 'sim:packet_dropped').filter(({ why }) => why === 'lost on the cable');
    expect(lost.length).toBeGreaterThan(FRAMES / 8);
    expect(lost.length).toBeLessThan(FRAMES / 2);
    expect([...leftBy(machine), ...lost.map(({ packet }) => packet)].sort((one, other) => one - other)).toEqual(
      Array.from({ length: FRAMES }, (_, packet) => packet),
    );
    expect(leftBy(sentOver({ loss: '0' }))).toHaveLength(FRAMES);
    expect(leftBy(sentOver({ loss: '1' }, 4))).toHaveLength(0);
  });

  test('doubles some, and delays all by chance, each told before it leaves', () => {
    const machine = sentOver({ duplicate: '0.5', jitter: '2ms', reorder: '0.1' });
    const doubled = ofKind(machine, 'sim:frame_doubled').map(({ packet }) => packet);
    expect(doubled.length).toBeGreaterThan(FRAMES / 4);
    expect(doubled.length).toBeLessThan((FRAMES * 3) / 4);
    expect(leftBy(machine)).toHaveLength(FRAMES + doubled.length);
    const by = ofKind(machine, 'sim:frame_delayed').map((each) => each.by);
    const late = by.filter((ns) => ns >= 5_000_000);
    expect(Math.max(...by)).toBeLessThan(7_000_000);
    expect(late.length).toBeGreaterThan(FRAMES / 20);
    expect(late.length).toBeLessThan(FRAMES / 2);
    expect(by.some((ns) => ns > 1_500_000 && ns < 2_000_000)).toBe(true);
  });

  test('of a bandwidth has one frame behind the other, and so many wait', () => {
    const machine = sentOver({ bandwidth: 8_000_000 });
    const delays = ofKind(machine, 'sim:frame_delayed').map(({ by }) => by);
    // A thousand bytes with all that is around them take a millisecond.
    expect(delays.slice(0, 3)).toEqual([1_000_000, 2_000_000, 3_000_000]);
    expect(delays).toHaveLength(101);
    expect(ofKind(machine, 'sim:packet_dropped').every(({ why }) => why === 'the cable is full')).toBe(true);
  });

  test('takes no frame that is too long for it', () => {
    expect(leftBy(sentOver({ mtu: LENGTH - 18 }, 2))).toHaveLength(2);
    const machine = sentOver({ mtu: LENGTH - 19 }, 2);
    expect(ofKind(machine, 'sim:packet_dropped').map(({ why }) => why)).toEqual(
      Array(2).fill('too long for the cable'),
    );
  });

  test.each([
    ['loss', '1.5'],
    ['loss', 'much'],
    ['loss', '-1'],
    ['reorder', ''],
    ['duplicate', '1e9'],
    ['jitter', '2s'],
    ['jitter', '3'],
  ])('has no %s of %j', (key, value) => {
    const usual = Object.fromEntries(Object.entries(CABLE_PROPERTIES).map(([name, each]) => [name, each.default]));
    expect(() => cableRules({ ...usual, [key]: value } as never)).toThrow(`-netdev frames: ${key}=`);
  });
});
