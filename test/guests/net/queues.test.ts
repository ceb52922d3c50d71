import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { MAIN_LOOP, type Stamped, vhostSource } from '../../../src/events/stamped.ts';
import type { EventOf } from '../../../src/events/vocabulary.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { casesOf, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { seekAtRandom } from '../random-seeks.ts';
import { ofKind, type Recorded, recordedAs } from './recorded.ts';
import { SERVED, writeWorld } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = readFileSync(new URL('queues.sh', import.meta.url), 'utf8');
const TAPS = ['n0', 'n0:1'];
const MINUTES = 60_000;

/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 4, quick: 4 });
/** 100 with RETROVISOR_WORKERS=100. */
const SEEDS = casesOf('RETROVISOR_WORKERS', { whole: 2, quick: 2 });

function recorded(name: string, tap: string, seed = 1): Recorded {
  const world = writeWorld(folder);
  writeFileSync(world, readFileSync(world, 'utf8').replaceAll('10.0.2.', '10.9.0.'));
  return recordedAs(file(`${name}.trace`), [
    ...[...linuxWith(file('guest.gz')), '-smp', '2', '--seed', `${seed}`, '--wall-clock', '1700000000'],
    ...['-netdev', `tap,id=n0,ifname=tap0,queues=2${tap}`],
    ...['-device', 'virtio-net-pci,netdev=n0,mq=on,vectors=6,mac=52:54:00:00:00:0a'],
    ...['-netdev', `user,id=up,net=10.9.0.0/24,host=10.9.0.1,world=${world}`],
    ...['--bridge', 'br0,ports=up,address=10.9.0.254/24'],
  ]);
}

const digest = createHash('md5').update(SERVED['big.bin']!).digest('hex');

/** Interrupts by what they are for, of each processor. */
const interruptsOf = ({ parts }: Recorded): Map<string, readonly number[]> =>
  new Map(
    parts.get('interrupts')!.flatMap((line): [string, number[]][] => {
      const found = /: (\d+) (\d+) PCI-MSI \S+ virtio0-(\S+)/.exec(line);
      return found === null ? [] : [[found[3]!, [Number(found[1]), Number(found[2])]]];
    }),
  );

/** Where each frame to the card waited: how many by queue. */
const framesOf = (events: readonly Stamped[], kind: 'sim:tap_read' | 'sim:packet_delivered'): number[] =>
  TAPS.map((tap) => ofKind(events, kind).filter(({ client }) => client === tap).length);

describe('a Linux of two processors with two queues', { ...LONG, ...without(noLinux()) }, () => {
  let on: Recorded;
  let off: Recorded;
  const events: { on: readonly Stamped[]; off: readonly Stamped[] } = { on: [], off: [] };

  beforeAll(() => {
    initramfs(file('guest.gz'), SCRIPT);
    on = recorded('on', ',vhost=on');
    off = recorded('off', '');
    events.on = openTimeline(openRecordedRun(NODE, on.trace, {})).events;
    events.off = openTimeline(openRecordedRun(NODE, off.trace, {})).events;
  }, 15 * MINUTES);

  test.each(['on', 'off'] as const)('uses both, with vhost=%s', (way) => {
    const run = { on, off }[way];
    expect(run.parts.get('queues')!.join(' ').trim().split(/\s+/)).toEqual(['rx-0', 'rx-1', 'tx-0', 'tx-1']);
    expect(run.parts.get('fetch')!.filter(Boolean)).toEqual([`${digest}  -`, `${digest}  -`]);
    expect(run.parts.get('ping')!.join()).not.toContain('100% packet loss');
    const interrupts = interruptsOf(run);
    expect([...interrupts.keys()]).toEqual(['config', 'input.0', 'output.0', 'input.1', 'output.1']);
    const [first, second] = [interrupts.get('input.0')!, interrupts.get('input.1')!];
    expect(first[0]).toBeGreaterThan(first[1]! + 5);
    expect(second[1]).toBeGreaterThan(second[0]! + 5);
    for (const kind of ['sim:tap_read', 'sim:packet_delivered'] as const) {
      for (const frames of framesOf(events[way], kind)) expect(frames).toBeGreaterThan(15);
    }
  });

  test('user space is asked for commands alone where the kernel serves the rings', () => {
    expect(new Set(ofKind(events.on, 'virtio_queue_notify').map(({ n }) => n))).toEqual(new Set([4]));
    expect(new Set(ofKind(events.off, 'virtio_queue_notify').map(({ n }) => n)).size).toBeGreaterThan(3);
    const byMainLoop = (kind: string): Stamped[] =>
      events.on.filter(({ event, source }) => event.kind === kind && source === MAIN_LOOP);
    expect(byMainLoop('sim:tap_read')).toEqual([]);
    const turns = (worker: number): number =>
      ofKind(events.on, 'sim:vhost_ran').filter(
        ({ thread, elements }) => thread === vhostSource(worker) && elements > 0,
      ).length;
    expect([turns(0), turns(1)].every((count) => count > 30)).toBe(true);
  });

  test('of each queue it is asked how far it came, which is where the driver has it in its memory', () => {
    const asked = events.on.filter(({ event }) => 'cmd' in event && event.cmd === 'VHOST_GET_VRING_BASE');
    const rings = (asked as Stamped<EventOf<'sim:vhost_ioctl'>>[]).map(({ event }) => `${event.client} ${event.queue}`);
    expect(rings).toEqual(TAPS.flatMap((tap) => [`${tap} 0`, `${tap} 1`]));
    const { timeline } = openTimeline(openRecordedRun(NODE, on.trace, {}));
    for (const { seq, event } of asked as Stamped<EventOf<'sim:vhost_ioctl'>>[]) {
      timeline.advance({ seq: seq + 1 });
      const { machine } = timeline;
      const { used } = machine.state.vmm.net!.vhosts![event.client]!.vrings[event.queue]!;
      expect(new Uint16Array(machine.engine.readHost(used + 2, 2).buffer)[0]).toBe(Number(event.arg));
      expect(Number(event.arg)).toBeGreaterThan(0);
    }
  });

  test.each(['on', 'off'] as const)('replays and folds, and in a process of its own, with vhost=%s', async (way) => {
    const { trace } = { on, off }[way];
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    expect(retrovisor(['verify', trace])).toMatchObject({ status: 0 });
  });

  test('sought at random, it goes on to what was there', { timeout: 30 * MINUTES }, () => {
    expect(retrovisor(['index', on.trace]).status).toBe(0);
    const found = seekAtRandom({ trace: on.trace, near: 'sim:vhost_ran', seeks: SEEKS });
    expect(new Set(found.map(({ state }) => state)).size).toBeGreaterThan(SEEKS / 2);
  });

  test(`${SEEDS} ways in which workers take their turns lead to one payload`, { timeout: SEEDS * 2 * MINUTES }, () => {
    const orders = new Set<string>();
    for (let seed = 2; seed < 2 + SEEDS; seed += 1) {
      const { trace, parts } = recorded(`seed${seed}`, ',vhost=on', seed);
      for (const part of ['queues', 'ping', 'fetch']) expect(parts.get(part)).toEqual(on.parts.get(part));
      const told = openTimeline(openRecordedRun(NODE, trace, {})).events;
      orders.add(
        createHash('sha256')
          .update(told.map(({ event, source }) => `${source} ${event.kind}`).join('\n'))
          .digest('hex'),
      );
    }
    expect(orders.size).toBe(SEEDS);
  });
});
