import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { record, replay } from '../../src/api/index.ts';
import { NODE } from '../../src/host/node.ts';
import { inChromium, noChromium } from '../browser/chromium.ts';
import { traceFolder } from '../debugger/recorded-tour.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests } from './command-line.ts';

const folder = traceFolder();
const IMAGES = ['vmlinuz', 'initramfs.gz'] as const;

test("a boot of Debian's kernel that Node recorded replays in headless Chromium to Node's digests", {
  ...LONG,
  ...without(noChromium, noGuests(...IMAGES)),
}, async () => {
  const [kernel, initrd] = [guestFile('vmlinuz'), guestFile('initramfs.gz')];
  const trace = join(folder, 'boot.trace');
  const append = 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f';
  const recorded = await record({
    trace,
    kernel,
    initrd,
    append,
    memory: 256,
    noDefaults: true,
    wallClock: 1700000000,
  });
  expect(recorded.why).toBe('ended');
  const files = [trace, kernel, initrd].map((path) => [path, new Uint8Array(readFileSync(path))] as const);
  const there = await inChromium({ version: NODE.version, replay: trace }, Object.fromEntries(files));
  expect(there.failure).toBeUndefined();
  const here = await replay(trace);
  expect(here.divergence).toBeUndefined();
  expect(here.events).toBeGreaterThan(100_000);
  expect(there.ran).toEqual(here);
  expect(there.requests.filter((url) => !url.startsWith(`${there.origin}/`))).toEqual([]);
});
