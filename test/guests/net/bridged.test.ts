import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DebianKernel } from '../../../scripts/guests/initramfs.ts';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { firstOfLongest, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { SERVED, writeWorld } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = ['two-cards.sh', 'bridged.sh']
  .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
  .join('');
const [A, B] = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'];

/** Two cards of one guest, what the first counts as packets of a megabyte, and the kernel with their drivers. */
const PAIRS = [
  ['virtio-net-pci', 'virtio-net-pci', 'cloud'],
  ['e1000', 'virtio-net-pci', 'generic'],
] as const satisfies readonly (readonly [string, string, DebianKernel])[];

/** The hosts of the world are on the network of the guests. */
function worldOnBridge(): string {
  const path = writeWorld(folder);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('10.0.2.', '10.9.0.'));
  return path;
}

describe.each(firstOfLongest(1, PAIRS))('%s and %s on a bridge', LONG, (first, second, kernel) => {
  describe('with an uplink', without(noLinux(kernel)), () => {
    const trace = file(`${first}-${second}.trace`);
    let parts: string[];

    beforeAll(() => {
      initramfs(file(`${kernel}.gz`), SCRIPT, kernel);
      const ran = retrovisor([
        ...['run', ...linuxWith(file(`${kernel}.gz`), '', kernel), '--trace', trace, '--wall-clock', '1700000000'],
        ...['-netdev', 'tap,id=n0,ifname=tap0', '-device', `${first},netdev=n0,mac=${A}`],
        ...['-netdev', 'tap,id=n1,ifname=tap1', '-device', `${second},netdev=n1,mac=${B}`],
        ...['-netdev', `user,id=up,net=10.9.0.0/24,host=10.9.0.1,world=${worldOnBridge()}`],
        ...['--bridge', 'br0,ports=up,address=10.9.0.254/24'],
      ]);
      expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
      parts = ran.out.replaceAll('\r', '').split(/^= /m);
    }, 900_000);

    const part = (name: string): string => parts.find((each) => each.startsWith(name)) ?? '';

    test('each hears the other, the uplink and the host, and nobody who is not there', () => {
      expect(part('ping')).toContain('2 packets transmitted, 2 packets received, 0% packet loss');
      expect(part('up')).toContain('2 packets transmitted, 2 packets received, 0% packet loss');
      expect(part('nobody')).toContain('2 packets transmitted, 0 packets received, 100% packet loss');
      expect(part('host')).toContain('1 packets transmitted, 1 packets received');
      expect(part('arp').split('\n')).toEqual(
        expect.arrayContaining([
          expect.stringContaining('10.9.0.1 0x1 0x2 52:55:0a:09:00:01'),
          expect.stringContaining(`10.9.0.11 0x1 0x2 ${B}`),
          expect.stringContaining('10.9.0.254 0x1 0x2 fe:fd:00:00:00:01'),
          expect.stringContaining('10.9.0.99 0x1 0x0 00:00:00:00:00:00'),
        ]),
      );
    });

    test('files cross it as they are', () => {
      const [got, served] = part('get').split('\n').slice(1);
      expect(got).toBe(served);
      expect(part('fetch')).toContain(createHash('md5').update(SERVED['big.bin']!).digest('hex'));
    });

    test('its stations are where they were learned, and what is cut is cut for a card that takes nothing else', () => {
      const learned = retrovisor(['events', trace, '--event', 'sim:bridge_learned']).out;
      expect(learned).toContain(`br0 ${A} dev tap0`);
      expect(learned).toContain(`br0 ${B} dev tap1`);
      expect(learned).toContain('br0 52:55:0a:09:00:01 dev up');
      expect(retrovisor(['events', trace, '--event', 'sim:bridge_moved']).out).not.toContain('br0');
      const cuts = retrovisor(['events', trace, '--event', 'sim:packet_cut']).out;
      expect(cuts.includes(' n0 packet')).toBe(first === 'e1000');
      const whole = retrovisor(['packets', trace, '--json', '--if', 'tcp.len > 3000']).out.trim().split('\n');
      expect(whole.length).toBeGreaterThan(3);
    });

    test('tap0 counts what the card counts', () => {
      const seen = retrovisor(['debug', trace], 'c\nbridge\n');
      expect(seen.status).toBe(0);
      const [, rx = '', , tx = ''] = /tap0: [\s\S]*?RX:.*\n(.*)\n(.*)\n(.*)\n/.exec(seen.out) ?? [];
      const numberIn = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(part('counts'))?.[1]);
      const [bytes, packets] = rx.trim().split(/\s+/).map(Number);
      expect(packets).toBe(numberIn('tx_packets'));
      // The driver of an 82540EM counts what its card sends with filling and check sequences.
      if (first !== 'e1000') expect(bytes).toBe(numberIn('tx_bytes'));
      expect(tx.trim().split(/\s+/).map(Number)[3]).toBe(0);
    });

    test('replays, folds and comes out of a rerun as it was', async () => {
      expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
      expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
      expect(retrovisor(['verify', trace])).toMatchObject({ status: 0 });
    });
  });
});
