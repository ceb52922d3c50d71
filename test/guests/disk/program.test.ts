import { describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { divergenceOf } from '../../../src/testing/recorded-guest.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, scratchFolder } from '../command-line.ts';
import { diskFiles, diskOnQemu, DONE, makeDisk, recordDisk } from './guest.ts';

const { image, trace } = diskFiles(scratchFolder());
const STEPS = 'q i r8+2 w8=41&w9+3=42 r8+4 f w8=43 z9+2 r8+4 c0 q w10=44 r10 d8+1 r8 w4000=1';
const PRINTS = 'q0154 i0:RV0001 r0:08.09 w0 w0 r0:41.42.42.42 f0 w0 z0 r0:43.00.00.42 q0054 w0 r0:44 d0 r0:43 w1 \n';

describe('a guest that drives a virtio disk by its legacy registers', () => {
  makeDisk(image, 32);

  test('reads what it wrote, and its run comes out again with and without the processor', async () => {
    const guest = recordDisk(trace, image, STEPS);
    expect([guest.console, guest.status]).toEqual([PRINTS, DONE]);
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
  });

  test('prints what it prints on QEMU', without(tool('qemu-system-x86_64')), () => {
    expect(diskOnQemu(image, STEPS)).toEqual({ console: PRINTS, errors: '', status: DONE });
  });
});
