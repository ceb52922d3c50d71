import { expect } from 'vitest';
import { NODE } from '../../src/host/node.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { endOf } from '../../src/replay/places.ts';
import { diskRole } from '../../src/runs/machine/disks.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { Conservation, type Conserved, originalsOf } from '../oracle/conservation/conservation.ts';

/**
 * A recorded run comes out as recorded, and at every event its virtio devices have lost nothing and made nothing up.
 * The images are as they were when it began. Returns what was looked at.
 */
export function expectConserves(trace: string): Conserved {
  const run = openRecordedRun(NODE, trace, {});
  const { drives = [], paths } = run.description;
  const { timeline, verifier, events, close } = openTimeline(run, { every: Number.MAX_SAFE_INTEGER });
  const images = new Map(drives.map(({ id }) => [id, paths[diskRole(id)]!]));
  const conservation = new Conservation(timeline.machine, originalsOf(images));
  timeline.watching(
    (stamped) => conservation.next(stamped),
    () => timeline.seek(endOf(events)),
  );
  const { agreed, divergence } = verifier;
  close();
  expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
  expect(agreed).toBe(events.length);
  conservation.checkDrives();
  expect(conservation.result.violations).toEqual([]);
  return conservation.result;
}
