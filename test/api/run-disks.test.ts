import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debugRun, openDisks, Problem } from '../../src/api/index.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { diskFiles, DONE, makeDisk, recordDisk, SECTOR } from '../guests/disk/guest.ts';

const folder = scratchFolder();

test('a program reads the disk of a run at any moment, and what power loss would leave of it', () => {
  const { image, trace } = diskFiles(folder);
  makeDisk(image, 16);
  expect(recordDisk(trace, image, 'w3=41 f w3+2=42').status).toBe(DONE);
  const disks = openDisks(trace);
  expect(disks.drives.map(({ id, sectors }) => [id, sectors])).toEqual([['d', 16]]);
  const [first, second] = disks.history(3);
  const end = disks.at('end');
  expect(disks.at('start').read(3)).toEqual(new Uint8Array(SECTOR).fill(3));
  expect(disks.at(first!.stamped).read(3)).toEqual(new Uint8Array(SECTOR).fill(0x41));
  expect(end.read(3, 2)).toEqual(new Uint8Array(2 * SECTOR).fill(0x42));
  expect(disks.difference(first!.stamped, 'end')).toEqual([{ sector: 3, count: 2 }]);
  expect([first!.flushed?.event.changes, second!.flushed]).toEqual([1, undefined]);
  const seeds = Array.from({ length: 20 }, (_, seed) => disks.crash('end', `${seed}`));
  expect(new Set(seeds.map(({ content }) => content.read(3)[0]))).toEqual(new Set([0x41, 0x42]));
  expect(new Set(seeds.map(({ content }) => content.read(4)[0]))).toEqual(new Set([4, 0x42]));
  for (const { kept, lost, torn, without } of seeds) {
    expect(kept + lost + torn).toBe(1);
    expect(without.read(3, 2)).toEqual(end.read(3, 2));
  }
  const copy = join(folder, 'copy.raw');
  end.save(copy);
  expect(readFileSync(copy).subarray(3 * SECTOR, 5 * SECTOR)).toEqual(Buffer.alloc(2 * SECTOR, 0x42));
  expect(() => end.save(image)).toThrow(Problem);
  expect(() => disks.at('end', 'e')).toThrow('There is no drive e');
  expect(() => disks.history(16)).toThrow('sectors 0 to 15');
  disks.close();
  const run = debugRun(trace);
  run.ask('at end');
  expect(run.ask('disk history 3')).toMatch(/^d, sector 3: 2 writes\n/);
  run.close();
});
