import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomWalk } from '../gdb/random-walk.ts';
import { NO_PYTHON_IN_GDB, serve } from '../gdb/stock-gdb.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

/** 20,000 with RETROVISOR_WALK=20000. */
const STEPS = Number(process.env['RETROVISOR_WALK'] ?? 2000);
const folder = scratchFolder();
const APPEND = 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f';

test(
  "a random walk of gdb through a whole boot of Debian's kernel meets the registers and digests it met before",
  without(NO_PYTHON_IN_GDB, noGuests('vmlinuz', 'initramfs.gz')),
  async () => {
    const trace = join(folder, 'boot.trace');
    const images = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-m', '256'];
    retrovisor(['run', ...images, '-append', APPEND, '-nodefaults', '-serial', 'stdio', '--trace', trace]);
    expect(retrovisor(['index', trace]).status).toBe(0);
    const served = await serve(trace);
    try {
      const starts = ['begin', '1%', '25%', '50%', '75%', '99%', 'end'];
      const walked = await randomWalk(served, folder, { starts, steps: STEPS, seed: 20 });
      process.stdout.write(`${JSON.stringify(walked)}\n`);
      expect(walked).toMatchObject({ mismatches: 0, stuck: 0 });
      expect(walked.revisits).toBeGreaterThan(STEPS / 3);
    } finally {
      served.stop();
    }
  },
);
