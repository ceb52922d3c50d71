import { describe, expect, test } from 'vitest';
import type { EventOf, MachineEvent } from '../../../src/events/vocabulary.ts';
import { refusedAnnouncement } from '../../../src/vmm/net/announcement.ts';
import { LONG } from '../../how-long.ts';
import { type Bench, bench } from '../bench.ts';

const MS = 1_000_000;

const twoCards = (): Bench =>
  bench({
    devices: [0, 1].map((at) => ({
      driver: at === 0 ? 'e1000' : 'rtl8139',
      properties: { mac: `52:54:00:12:34:5${6 + at}`, netdev: `n${at}` },
    })),
    netdevs: [0, 1].map((at) => ({ type: 'hubport', id: `n${at}`, hub: at, properties: {} })),
  });

const kinds = (events: readonly MachineEvent[]): string[] =>
  events.flatMap((event) => {
    if (event.kind === 'qemu_announce_self_iter') return [`${event.name} ${event.mac} skip ${event.skip}`];
    if (event.kind === 'sim:packet_sent') return [`${event.client} ${event.bytes.length} bytes`];
    if (event.kind === 'sim:announce_waits') return [`round ${event.round} at ${event.due / MS} ms`];
    return event.kind === 'qemu_announce_timer_del' ? ['over'] : [];
  });

/** Rounds that come while so much time goes by. */
function passing(machine: Bench, from: number, to: number): string[] {
  const before = machine.events.length;
  for (let ms = from; ms < to; ms++) machine.passTo((ms + 1) * MS);
  return kinds(machine.events.slice(before)).filter((line) => !line.includes('bytes') && !line.includes('skip'));
}

describe('announce_self', () => {
  test('has all cards say where they are, as often as it is wanted', () => {
    const machine = twoCards();
    const before = machine.events.length;
    machine.announce(5);
    expect(kinds(machine.events.slice(before))).toEqual([
      'e1000.0 52:54:00:12:34:56 skip false',
      'e1000.0 60 bytes',
      'rtl8139.0 52:54:00:12:34:57 skip false',
      'rtl8139.0 60 bytes',
      'round 4 at 50 ms',
    ]);
    const later = ['round 3 at 200 ms', 'round 2 at 450 ms', 'round 1 at 800 ms', 'over'];
    expect(passing(machine, 0, 900)).toEqual(later);
    expect(machine.state.vmm.net!.announcing).toBeUndefined();
  });

  test('has one card do it, and another announcement of the name begins anew', LONG, () => {
    const machine = twoCards();
    machine.announce(5);
    const before = machine.events.length;
    machine.announce(2, 'rtl8139.0');
    expect(kinds(machine.events.slice(before))).toEqual([
      'e1000.0 52:54:00:12:34:56 skip true',
      'rtl8139.0 52:54:00:12:34:57 skip false',
      'rtl8139.0 60 bytes',
      'round 1 at 50 ms',
    ]);
    expect(passing(machine, 0, 900)).toEqual(['over']);
    machine.announce(0);
    expect(kinds(machine.events.slice(-1))).toEqual(['over']);
  });

  const ASKED = { interfaces: '', id: '', initial: 50, max: 550, rounds: 5, step: 100 };
  const many = Array.from({ length: 16 }, (_, at) => ({ ...ASKED, id: `a${at}`, round: 1, due: 1, waits: 0 }));

  test.each<[string, Partial<EventOf<'sim:announce_asked'>>, RegExp | undefined]>([
    ['anybody', {}, undefined],
    ['both', { interfaces: 'rtl8139.0,e1000.0' }, undefined],
    ['who is not there', { interfaces: 'e1000.0,nobody' }, /no network card 'nobody'.*e1000\.0, rtl8139\.0/],
    ['too often', { rounds: 1001 }, /announce-rounds is 0 to 1000, not 1001/],
    ['without a step', { step: 0 }, /announce-step is 1 to 10000, not 0/],
    ['by a long name', { id: 'x'.repeat(65) }, /at most 64 characters/],
  ])('of %s', LONG, (_name, change, why) => {
    const { config, vmm } = twoCards().state;
    const refused = refusedAnnouncement(config, vmm.net, { ...ASKED, ...change });
    if (why === undefined) expect(refused).toBeUndefined();
    else expect(refused).toMatch(why);
  });

  test('of so many at a time, and of none where there is no card', LONG, () => {
    const { config, vmm } = twoCards().state;
    expect(refusedAnnouncement(config, { ...vmm.net!, announcing: many }, ASKED)).toMatch(/16 announcements/);
    expect(refusedAnnouncement(config, { ...vmm.net!, announcing: many }, { ...ASKED, id: 'a3' })).toBeUndefined();
    expect(refusedAnnouncement(bench().state.config, undefined, ASKED)).toMatch(/no network card/);
  });
});
