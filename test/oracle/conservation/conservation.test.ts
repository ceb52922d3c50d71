import { beforeAll, describe, expect, test } from 'vitest';
import { NODE } from '../../../src/host/node.ts';
import { hvaOf } from '../../../src/machine/guest-view.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { endOf } from '../../../src/replay/places.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { diskFiles, DONE, makeDisk, recordDisk, SECTOR } from '../../guests/disk/guest.ts';
import { Conservation, type Conserved, originalsOf } from './conservation.ts';

const { image, trace } = diskFiles(scratchFolder());
const STEPS = 'r8+2 w8+2=41 r8+2 w9=42&w30=43 f r8+2 z9 r9 d8 r8&i r30';
const SECTORS_READ = 2 + 2 + 2 + 1 + 1 + 1;
const SECTORS_WRITTEN = 4;

beforeAll(() => {
  expect(recordDisk(trace, makeDisk(image, 64), STEPS).status).toBe(DONE);
});

/** Something is done to the machine before the account hears an event: what no device does. */
type Plant = (machine: Machine, stamped: Stamped) => void;

/** The run up to the first thing that is wrong: where it leads from there nobody knows. */
function judged(plant: Plant = () => undefined): Conserved {
  const run = openRecordedRun(NODE, trace, {});
  const { timeline, events, close } = openTimeline(run, { every: Number.MAX_SAFE_INTEGER });
  const { machine } = timeline;
  const conservation = new Conservation(machine, originalsOf(new Map([['d', image]])));
  const hear = (stamped: Stamped): void => {
    plant(machine, stamped);
    conservation.next(stamped);
    if (conservation.result.violations.length > 0) throw new Error('something is wrong');
  };
  try {
    timeline.watching(hear, () => timeline.seek(endOf(events)));
    conservation.checkDrives();
  } catch (error) {
    if (conservation.result.violations.length === 0) throw error;
  } finally {
    close();
  }
  return conservation.result;
}

/** Once, at the event of this kind that comes so many after the first. */
function at(kind: string, count: number, act: (machine: Machine) => void): Plant {
  let left = count;
  return (machine, { event }) => {
    if (event.kind === kind && left-- === 0) act(machine);
  };
}

/** Once, at the event that comes after that one. */
function after(kind: string, count: number, act: (machine: Machine) => void): Plant {
  let left = count;
  return (machine, { event }) => {
    if (left < 0) {
      left = Number.POSITIVE_INFINITY;
      act(machine);
    } else if (event.kind === kind) left -= 1;
  };
}

const queueOf = (machine: Machine) => {
  const devices = machine.state.vmm.devices as unknown as Record<
    string,
    { queues: { used: number; usedIdx: number }[] }
  >;
  return devices['virtio-blk-pci#1']!.queues[0]!;
};

describe('what a driver asks of a disk', () => {
  test('is conserved', () => {
    expect(judged()).toMatchObject({
      ...{ violations: [], sectorsRead: SECTORS_READ, sectorsWritten: SECTORS_WRITTEN, popped: 13 },
    });
  });

  test('is not where a drive loses a write', () => {
    const lose = at('sim:disk_flushed', 0, (machine) => {
      machine.vmm.drives!.get('d')!.bytes.write(9 * SECTOR, new Uint8Array(SECTOR).fill(0x41));
    });
    expect(judged(lose).violations.join()).toMatch(/read sector 9 otherwise than it was last written/);
  });

  test('is not where a drive changes a sector that nobody wrote or read again', () => {
    const spoil = at('sim:disk_flushed', 0, (machine) => {
      machine.vmm.drives!.get('d')!.bytes.write(30 * SECTOR, Uint8Array.of(7));
    });
    expect(judged(spoil).violations.join()).toMatch(/sector 30/);
  });

  test('is not where the used ring says something else than was given back', () => {
    const twice = after('virtqueue_flush', 1, (machine) => {
      const { used, usedIdx } = queueOf(machine);
      machine.engine.writeHost(hvaOf({ machine }, used + 2)!, Uint8Array.of(usedIdx + 1, 0));
    });
    expect(judged(twice).violations.join()).toMatch(/the used index is 3 where 2 were given back/);
  });

  test('is not where a device counts one that it did not give back', () => {
    const more = at('virtio_notify_irqfd', 1, (machine) => {
      queueOf(machine).usedIdx += 1;
    });
    expect(judged(more).violations.join()).toMatch(/the device has given back 3, not 2/);
  });

  test('is not where a device takes what the ring does not have', () => {
    const another = at('virtqueue_pop', 2, (machine) => {
      const { desc, avail } = queueOf(machine) as unknown as { desc: number; avail: number };
      machine.engine.writeHost(hvaOf({ machine }, desc + 8)!, Uint8Array.of(15));
      machine.engine.writeHost(hvaOf({ machine }, avail + 2)!, Uint8Array.of(2));
    });
    expect(judged(another).violations.join()).toMatch(/nothing is available beyond 2|were taken where the chain is/);
  });
});
