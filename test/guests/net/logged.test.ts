import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerMonitor } from '../../../src/cli/monitor.ts';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { segmentsFrom } from '../../../src/devices/virtio/index.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { NODE } from '../../../src/host/node.ts';
import { pagesOf } from '../../../src/memory/page-bits.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { openSession } from '../../../src/runs/underway/open-session.ts';
import type { Writer } from '../../../src/vmm/dirty/state.ts';
import { casesOf, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { changedPages, measurementOf, walkedPages, writtenPages } from '../logged-pages.ts';
import { seekAtRandom } from '../random-seeks.ts';

const folder = scratchFolder();
const trace = join(folder, 'logged.trace');
const SCRIPT = readFileSync(new URL('logged.sh', import.meta.url), 'utf8');
const RAM = 256 << 20;
const PAGE = 4096;
const MINUTES = 60_000;
/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 4, quick: 4 });

const NETWORK = [
  ...['-netdev', 'tap,id=n0,ifname=tap0,vhost=on', '-device', 'virtio-net-pci,netdev=n0,mac=52:54:00:00:00:0a'],
  ...['-netdev', 'user,id=n1', '-device', 'virtio-net-pci,netdev=n1,mac=52:54:00:00:00:0b'],
  ...['-netdev', 'user,id=up,net=10.9.0.0/24,host=10.9.0.1', '--bridge', 'br0,ports=up,address=10.9.0.254/24'],
  ...['--wall-clock', '1700000000'],
];

/** Linux writes while it is logged. Returns what it printed. */
function recorded(): string {
  const path = initramfs(join(folder, 'guest.gz'), SCRIPT);
  const heard: Uint8Array[] = [];
  const text = (): string => Buffer.concat(heard).toString('latin1');
  const session = openSession(NODE, runOptions([...linuxWith(path), ...NETWORK, '--trace', trace]), {
    serial: (_line, bytes) => void heard.push(bytes),
    character: () => undefined,
  });
  for (let isAsked = false; ; ) {
    const pause = session.run(8, false);
    if (pause.pause === 'ended') break;
    if (isAsked || !text().includes('= logged')) continue;
    isAsked = true;
    session.send(answerMonitor(session, 'calc_dirty_rate -b 1').send!);
  }
  session.close();
  return text();
}

const among = (pages: readonly number[], others: Iterable<number>): number[] => {
  const set = new Set(others);
  return pages.filter((page) => !set.has(page));
};

const pagesAt = (gpa: number, length: number): number[] => {
  const first = Math.floor(gpa / PAGE);
  return Array.from({ length: Math.ceil((gpa + length) / PAGE) - first }, (_, at) => first + at);
};

describe('a Linux that writes while it is logged', { ...LONG, ...without(noLinux()) }, () => {
  let events: readonly Stamped[];
  let pages: Readonly<Record<Writer, readonly number[]>>;
  let console: string;
  let all: number[];

  beforeAll(() => {
    console = recorded();
    const run = openTimeline(openRecordedRun(NODE, trace, {}));
    ({ events } = run);
    run.timeline.advance({ seq: measurementOf(events).measured + 1 });
    const { kvm, qemu, vhost } = run.timeline.machine.state.vmm.dirty!.pages;
    pages = { kvm: pagesOf(kvm), qemu: pagesOf(qemu), vhost: pagesOf(vhost) };
    all = Object.values(pages).flat();
  }, 15 * MINUTES);

  test('has frames answered by both cards, and pages of all who write', () => {
    expect(console).toContain('30 packets received');
    expect(console).toContain('10 packets received');
    process.stdout.write(`pages: kvm ${pages.kvm.length}, qemu ${pages.qemu.length}, vhost ${pages.vhost.length}\n`);
    expect(pages.kvm.length).toBeGreaterThan(300);
    expect(pages.qemu.length).toBeGreaterThan(1);
    expect(pages.vhost.length).toBeGreaterThan(12);
  });

  test('every page whose bytes are others than before is in a log', () => {
    const { timeline } = openTimeline(openRecordedRun(NODE, trace, {}));
    const { begun, over } = measurementOf(events);
    const changed = changedPages(timeline, begun, over, RAM);
    process.stdout.write(`${changed.length} pages have changed\n`);
    expect(changed.length).toBeGreaterThan(300);
    expect(among(changed, all)).toEqual([]);
  });

  test('the logs have the pages the engine wrote to, and besides the page tables that were walked', () => {
    const { timeline } = openTimeline(openRecordedRun(NODE, trace, {}), { every: Number.MAX_SAFE_INTEGER });
    const { begun, over } = measurementOf(events);
    const written = writtenPages(timeline, begun, over, RAM);
    const walked = walkedPages(events.slice(begun, over));
    process.stdout.write(`${written.length} pages were written\n`);
    expect(among(written, all)).toEqual([]);
    expect(among(among(all, written), walked)).toEqual([]);
    expect(among(all, written).length).toBeLessThan(all.length / 4);
  });

  test("vhost's log has of each frame that came its bytes, and the used rings", () => {
    const { asked, over } = measurementOf(events);
    const ofFrames = new Set<number>();
    const used: number[] = [];
    for (const { event } of events.slice(asked, over)) {
      if (event.kind === 'sim:vhost_ioctl' && event.cmd === 'VHOST_SET_VRING_ADDR') {
        used.push(Number(new DataView(event.more.buffer).getBigUint64(24, true)));
      }
      if (event.kind !== 'sim:vhost_get_desc' || event.queue !== 0) continue;
      const heads = new Uint32Array(event.heads.slice().buffer);
      let left = heads.reduce((sum, word, at) => sum + (at % 2 === 1 ? word : 0), 0);
      for (const { gpa, length } of segmentsFrom(event.segments)) {
        for (const page of pagesAt(gpa, Math.min(left, length))) ofFrames.add(page);
        left -= Math.min(left, length);
      }
      expect(left).toBe(0);
    }
    expect([used.length, ofFrames.size > 10]).toEqual([2, true]);
    // Flags, index, 256 entries, the index of which the driver is to notify.
    const ofRings = used.flatMap((ring) => pagesAt(ring, 6 + 8 * 256));
    expect(among(pages.vhost, [...ofFrames, ...ofRings])).toEqual([]);
    expect(among([...ofFrames, ...used.map((ring) => Math.floor(ring / PAGE))], pages.vhost)).toEqual([]);
  });

  test('runs again, folds and comes out of a rerun as it was, and in a process of its own', async () => {
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    expect(retrovisor(['verify', trace])).toMatchObject({ status: 0, out: expect.stringContaining(' 0 diverged') });
  });

  test('is the same from wherever one comes to it', () => {
    expect(retrovisor(['index', trace]).status).toBe(0);
    seekAtRandom({ trace, near: 'sim:dirty_pages', seeks: SEEKS });
  });
});
