import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { divergenceOf, recordGuest } from '../../../src/testing/recorded-guest.ts';
import { casesOf } from '../../how-long.ts';
import { CampaignMachine, type CampaignSetup, type Outcome } from '../../sim/hostile-driver/campaign-machine.ts';
import { without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { bytesOf } from '../net/world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** 500 with RETROVISOR_TRANSFERS=500. */
const SEEDS = casesOf('RETROVISOR_TRANSFERS', { whole: 22, quick: 3 });
/** One in so many is run twice, and one in so many by itself from power-on, recorded and replayed. */
const AGAIN_EVERY = 7;
const RECORDED_EVERY = Math.ceil(SEEDS / 2);
const LENGTH = 40_000;
const LOSSES = Array.from({ length: 11 }, (_, percent) => percent);
const MINUTES = 60_000;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const BYTES = bytesOf(LENGTH);

/** A guest that fetches and sends, as often as it is told from which host. */
const SCRIPT = `network
ip link set lo up; ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
stty -echo
echo '= ready'
while read seed host; do
  if [ $host = off ]; then poweroff -f; fi
  wget -q -O /got http://10.0.3.$host/bytes; sha256sum < /got
  (printf 'PUT /x HTTP/1.0\\r\\nContent-Length: ${LENGTH}\\r\\n\\r\\n'; cat /got) | nc 10.0.3.$host 80 | tail -n 1
  echo = over $seed
done
`;

const typed = (seed: number): string => `${seed} ${seed % LOSSES.length}\n`;

/** Hosts of which each loses one packet in a hundred more than the one before. */
function machineOptions(): string[] {
  mkdirSync(file('site'), { recursive: true });
  writeFileSync(file('site/bytes'), BYTES);
  const hosts = LOSSES.map((percent) => ({
    addresses: [`10.0.3.${percent}`],
    services: [{ kind: 'http', port: 80, folder: 'site' }],
    link: { loss: percent / 100, reorder: 0.05, duplicate: 0.05, latency: '1ms', jitter: '1ms' },
  }));
  writeFileSync(file('world.json'), JSON.stringify({ hosts }));
  return [
    ...linuxWith(initramfs(file('initramfs.gz'), SCRIPT)),
    ...['-netdev', `user,id=n0,world=${file('world.json')}`, '-device', 'virtio-net-pci,netdev=n0'],
    ...['--wall-clock', '1700000000'],
  ];
}

const setup = (): CampaignSetup => ({
  arguments: [...machineOptions(), '--seed', '0'],
  ...{ mostNs: 1e12, mostTicks: 3e9, readyWithin: 5e9, isOfMachine: true },
  words: { ready: '= ready', over: '= over', typed },
});

const printed = ({ events }: Outcome): string[] =>
  String.fromCharCode(...events.flatMap(({ event }) => (event.kind === 'sim:serial_sent' ? [event.byte] : [])))
    .replaceAll('\r', '')
    .split('\n')
    .filter((line) => line !== '');

/** What the wire did to what was sent. */
const fateOf = ({ events }: Outcome): string =>
  events
    .flatMap(({ event, seq }) => (/^sim:(link_|tcp_|packet_)/.test(event.kind) ? [`${seq} ${event.kind}`] : []))
    .join('\n');

const WANTED = [`${sha256(BYTES)}  -`, `${LENGTH} bytes, sha256 ${sha256(BYTES)}`];

test(`what Linux fetches and sends over links that lose up to a tenth is what arrives, with ${SEEDS} seeds`, {
  ...without(noLinux()),
  timeout: 2 * MINUTES + SEEDS * MINUTES,
}, () => {
  const machine = new CampaignMachine(setup());
  const wrong: string[] = [];
  const fates = new Set<string>();
  let lost = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const outcome = machine.run(seed);
    const fault = (what: string): void => void wrong.push(`seed ${seed}: ${what}`);
    const heard = printed(outcome).slice(0, WANTED.length);
    if (heard.join('\n') !== WANTED.join('\n')) fault(`it printed ${JSON.stringify(heard)}`);
    const unfolded = machine.folds(outcome);
    if (unfolded !== undefined) fault(unfolded);
    const fate = fateOf(outcome);
    fates.add(fate);
    lost += outcome.events.filter(({ event }) => event.kind === 'sim:link_lost').length;
    if (seed % AGAIN_EVERY === 0 && fateOf(machine.run(seed)) !== fate) fault('run again, something else happened');
  }
  process.stdout.write(`${SEEDS} seeds, ${lost} packets lost, ${wrong.length} wrong\n`);
  expect(wrong).toEqual([]);
  expect(lost).toBeGreaterThan(SEEDS);
  // Each seed is a run of its own.
  expect(fates.size).toBe(SEEDS);
});

test('such a run, from power-on, replays, folds and reruns', {
  ...without(noLinux()),
  timeout: 10 * MINUTES,
}, () => {
  const options = machineOptions();
  for (let seed = RECORDED_EVERY; seed <= SEEDS; seed += RECORDED_EVERY) {
    const trace = file(`${seed}.trace`);
    const type = ['--type', `after:= ready:${typed(seed)}`, '--type', `after:= over ${seed}:${seed} off\n`];
    const guest = recordGuest(trace, [...options, '--seed', `${seed}`, ...type]);
    expect(guest.console).toContain(WANTED.join('\r\n'));
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(retrovisor(['fold', trace]).status).toBe(0);
    expect(retrovisor(['rerun', trace]).status).toBe(0);
  }
});
