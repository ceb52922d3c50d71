import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { replayWithoutCaches } from '../engine/replayed-without-caches.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

/** `scripts/disturbed.ts --drop-caches 1000` does the same to recordings that were disturbed. */
const DROPS = 200;
const MINUTES = 60_000;
const folder = scratchFolder();
const APPEND = 'console=ttyS0 panic=-1 cryptomgr.notests=1';

test.each([
  ['with its writes to page tables', ['--events', 'guest-pt']],
  ['without them', []],
])(
  `Debian on 4 processors, recorded %s, comes out the same on a processor that loses its caches ${DROPS} times`,
  { ...LONG, ...without(noGuests('vmlinuz', 'initramfs.gz')), timeout: 15 * MINUTES },
  (name, events) => {
    const trace = join(folder, `${name.replaceAll(' ', '-')}.trace`);
    const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-m', '256', '-smp', '4'];
    const typed = ['--type', 'after:/ # :cat /proc/interrupts\\n', '--type', 'after:/ # :poweroff -f\\n'];
    const recorded = ['-nodefaults', '-no-reboot', '-serial', 'stdio', '--trace', trace, ...events];
    expect(retrovisor(['run', ...images, '-append', APPEND, ...typed, ...recorded]).status).toBe(0);
    const { out } = retrovisor(['replay', trace]);
    expect(out).toContain('0 divergences');
    const lost = replayWithoutCaches(trace, DROPS, name);
    expect(lost).toMatchObject({ divergence: undefined, agreed: lost.events });
    expect(out).toContain(`digest ${lost.digest}`);
    // What was dropped is filled again, at once; elsewhere as many ticks fill next to nothing.
    expect(lost.afterDrops.windows).toBe(DROPS);
    for (const each of ['translations', 'codePages'] as const) {
      expect(lost.afterDrops[each]).toBeGreaterThan(DROPS);
      expect(lost.afterDrops[each]).toBeGreaterThan(10 * lost.otherwise[each]);
    }
  },
);
