import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { EventOf } from '../../../src/events/vocabulary.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { casesOf, LONG } from '../../how-long.ts';
import { CampaignMachine, type Outcome } from '../../sim/hostile-driver/campaign-machine.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { seekAtRandom } from '../random-seeks.ts';
import { ofKind, type Recorded, recordedAs } from './recorded.ts';
import { SERVED, writeWorld } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = ['two-cards.sh', 'vhost.sh']
  .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
  .join('');
const CARDS = ['virtio-net-pci.0', 'virtio-net-pci.1'];

/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 4, quick: 4 });
/** 100 with RETROVISOR_WORKERS=100. */
const SEEDS = casesOf('RETROVISOR_WORKERS', { whole: 4, quick: 4 });
const SAID_EVERY = 5;
const MINUTES = 60_000;

/** The hosts of the world are on the network of the guests. */
function worldOnBridge(): string {
  const path = writeWorld(folder);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('10.0.2.', '10.9.0.'));
  return path;
}

/** Two cards on taps of one bridge, with an uplink. */
const networks = (tap: string): string[] => [
  ...['-netdev', `tap,id=n0,ifname=tap0${tap}`, '-device', 'virtio-net-pci,netdev=n0,mac=52:54:00:00:00:0a'],
  ...['-netdev', `tap,id=n1,ifname=tap1${tap}`, '-device', 'virtio-net-pci,netdev=n1,mac=52:54:00:00:00:0b'],
  ...['-netdev', `user,id=up,net=10.9.0.0/24,host=10.9.0.1,world=${worldOnBridge()}`],
  ...['--bridge', 'br0,ports=up,address=10.9.0.254/24', '--wall-clock', '1700000000'],
];

const recorded = (name: string, tap: string): Recorded =>
  recordedAs(file(`${name}.trace`), [...linuxWith(file('guest.gz')), ...networks(tap)]);

const PAYLOAD = ['ping', 'up', 'get', 'fetch'];

describe('two Linux cards with vhost=on', LONG, () => {
  describe('beside the same without', without(noLinux()), () => {
    let on: Recorded;
    let off: Recorded;
    let events: readonly Stamped[];

    beforeAll(() => {
      initramfs(file('guest.gz'), SCRIPT);
      on = recorded('on', ',vhost=on');
      off = recorded('off', '');
      ({ events } = openTimeline(openRecordedRun(NODE, on.trace, {})));
    }, 15 * MINUTES);

    test('what comes is the same, and of the features the reset of a queue alone is lost', () => {
      for (const part of PAYLOAD) expect(on.parts.get(part)).toEqual(off.parts.get(part));
      expect(on.parts.get('ping')?.join()).toContain('2 packets transmitted, 2 packets received, 0% packet loss');
      expect(on.parts.get('fetch')?.join()).toContain(createHash('md5').update(SERVED['big.bin']!).digest('hex'));
      const [mine, usual] = [on, off].map(({ parts }) => parts.get('features')![0]!);
      const lost = [...usual!].flatMap((bit, at) => (bit === mine![at] ? [] : [at]));
      expect(lost).toEqual([40]);
    });

    test('user space is not asked: each frame sent is one exit that KVM answers, each received is none', () => {
      const queues = ofKind(events, 'virtio_queue_notify').map(({ n }) => n);
      expect(new Set(queues)).toEqual(new Set([2]));
      const kicks = ofKind(events, 'kvm_fast_mmio').map(({ gpa }) => Number(gpa) % 0x1000);
      const sent = ofKind(events, 'sim:packet_sent').filter(({ client }) => CARDS.includes(client));
      expect(new Set(kicks)).toEqual(new Set([4]));
      expect(kicks.length).toBeGreaterThan(50);
      expect(kicks.length).toBeLessThanOrEqual(sent.length);
      expect(ofKind(events, 'sim:vhost_get_desc').filter(({ queue }) => queue === 1)).toHaveLength(sent.length);
    });

    test('the guest has counted as many interrupts as KVM has sent messages', () => {
      const counts = on.parts.get('interrupts')!.flatMap((line) => /^ ?\d+: (\d+) PCI-MSI/.exec(line)?.[1] ?? []);
      expect(counts).toHaveLength(6);
      const sum = counts.reduce((all, count) => all + Number(count), 0);
      expect(ofKind(events, 'kvm_msi_set_irq')).toHaveLength(sum);
      expect(ofKind(events, 'sim:vhost_add_used').filter(({ signal }) => signal === 'sent')).toHaveLength(sum);
    });

    test('where a ring is left is where the driver has it in its memory', () => {
      const asked = events.filter(({ event }) => 'cmd' in event && event.cmd === 'VHOST_GET_VRING_BASE');
      expect(asked.length).toBeGreaterThanOrEqual(2);
      const { timeline } = openTimeline(openRecordedRun(NODE, on.trace, {}));
      for (const { seq, event } of asked as Stamped<EventOf<'sim:vhost_ioctl'>>[]) {
        timeline.advance({ seq: seq + 1 });
        const { machine } = timeline;
        const vring = machine.state.vmm.net!.vhosts![event.client]!.vrings[event.queue]!;
        const index = (ring: number): number => Number(new Uint16Array(machine.engine.readHost(ring + 2, 2).buffer)[0]);
        const [base, available, used] = [Number(event.arg), index(vring.avail), index(vring.used)];
        expect(base).toBeGreaterThan(0);
        expect(used).toBe(base);
        // What it is to receive into waits; of what it was to send nothing does.
        if (event.queue === 1) expect(available).toBe(base);
        else expect((available - base) & 0xffff).toBeLessThanOrEqual(vring.num);
      }
    });

    test('a frame is 16 events at most', () => {
      const isOf = ({ event }: Stamped): boolean => 'packet' in event || event.kind.startsWith('sim:vhost_');
      const packets = ofKind(events, 'sim:packet_sent').length;
      const first = events.findIndex(({ event }) => event.kind === 'sim:vhost_get_desc');
      const last = events.findLastIndex(({ event }) => event.kind === 'sim:vhost_get_desc');
      const between = events.slice(first, last);
      const byWorker = between.filter((stamped) => stamped.source >= 528 || isOf(stamped)).length;
      process.stdout.write(
        `${(byWorker / packets).toFixed(1)} events of workers and taps a packet, ${packets} packets\n`,
      );
      expect(byWorker / packets).toBeLessThanOrEqual(16);
    });

    test('replays, folds and comes out of a rerun as it was, and in a process of its own', async () => {
      expect(await printed((print) => rerun(on.trace, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(on.trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
      expect(retrovisor(['verify', on.trace])).toMatchObject({ status: 0 });
    });

    test('sought at random, it goes on to what was there', { timeout: 30 * MINUTES }, () => {
      expect(retrovisor(['index', on.trace]).status).toBe(0);
      const found = seekAtRandom({ trace: on.trace, near: 'sim:vhost_ran', seeks: SEEKS });
      expect(new Set(found.map(({ state }) => state)).size).toBeGreaterThan(SEEKS / 2);
    });
  });
});

const LENGTH = 100_000;

/** The guest's two cards speak to each other as often as it is told. */
const AGAIN = `${SCRIPT.slice(0, SCRIPT.indexOf('say ping'))}
mkdir -p /www; yes 'what a bridge hands on' | head -c ${LENGTH} > /www/big
inside busybox httpd -p 80 -h /www
ping -c 1 10.9.0.11 > /dev/null
stty -echo
echo '= ready'
while read seed; do
  wget -q -O - http://10.9.0.11/big | md5sum; ping -q -c 5 -i 0.01 10.9.0.1 | grep received
  echo = over $seed
done
`;

const consoleOf = ({ events }: Outcome): string =>
  String.fromCharCode(...ofKind(events, 'sim:serial_sent').map(({ byte }) => byte)).replaceAll('\r', '');

/** Who did what after whom. */
const orderOf = ({ events }: Outcome): string =>
  createHash('sha256')
    .update(events.map(({ event, source }) => `${source} ${event.kind}`).join('\n'))
    .digest('hex');

test(`${SEEDS} ways in which workers take their turns lead to one payload`, {
  ...LONG,
  ...without(noLinux()),
  timeout: 5 * MINUTES + SEEDS * MINUTES,
}, () => {
  initramfs(file('again.gz'), AGAIN);
  const machine = new CampaignMachine({
    arguments: [...linuxWith(file('again.gz')), ...networks(',vhost=on'), '--seed', '0'],
    ...{ mostNs: 1e12, mostTicks: 3e9, readyWithin: 5e9, isOfMachine: true },
    words: { ready: '= ready', over: '= over', typed: () => '1\n' },
  });
  const [orders, payloads, wrong] = [new Set<string>(), new Set<string>(), [] as string[]];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = machine.run(seed);
    orders.add(orderOf(outcome));
    payloads.add(consoleOf(outcome));
    const unfolded = machine.folds(outcome);
    if (unfolded !== undefined) wrong.push(`seed ${seed}: ${unfolded}`);
    if (seed % SAID_EVERY !== 0) continue;
    process.stdout.write(`${seed} seeds, ${orders.size} orders of events, ${payloads.size} payloads\n`);
  }
  expect(wrong).toEqual([]);
  expect(orders.size).toBeGreaterThanOrEqual(SEEDS / 2);
  expect([...payloads]).toEqual([expect.stringContaining('5 packets received')]);
});
