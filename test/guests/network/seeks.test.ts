import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DebianKernel } from '../../../scripts/guests/initramfs.ts';
import { casesOf, firstOfLongest, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { writeWorld } from '../net/world.ts';
import { seekAtRandom } from '../random-seeks.ts';

/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 10, quick: 10 });
const PATIENCE = { timeout: 60 * 60_000 };
const SCRIPT = new URL('../net/conversation.sh', import.meta.url);

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** A Linux that speaks to a world that loses packets, on two processors. */
function recorded(card: string, kernel: DebianKernel): string {
  const trace = file(`${card}.trace`);
  initramfs(file(`${card}.gz`), `${readFileSync(SCRIPT, 'utf8')}poweroff -f\n`, kernel);
  const world = writeWorld(folder, { loss: 0.02, reorder: 0.05, duplicate: 0.05, latency: '1ms', jitter: '1ms' });
  const ran = retrovisor([
    ...['run', ...linuxWith(file(`${card}.gz`), '', kernel), '-smp', '2', '--trace', trace],
    ...['-netdev', `user,id=n0,world=${world}`, '-device', `${card},netdev=n0`, '--wall-clock', '1700000000'],
  ]);
  expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
  expect(retrovisor(['index', trace]).status).toBe(0);
  return trace;
}

const CARDS = [
  ['virtio-net-pci', 'cloud'],
  ['e1000', 'generic'],
] as const;

test.each(firstOfLongest(1, CARDS))(
  'a run with a network by %s, sought at random, goes on to what was there',
  {
    ...LONG,
    ...PATIENCE,
    ...without(noLinux('generic'), noLinux()),
  },
  (card, kernel) => {
    const found = seekAtRandom({ trace: recorded(card, kernel), near: 'sim:packet_sent', seeks: SEEKS });
    expect(new Set(found.map(({ state }) => state)).size).toBeGreaterThan(SEEKS / 2);
  },
);
