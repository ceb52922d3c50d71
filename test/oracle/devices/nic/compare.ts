import { describe, expect, test } from 'vitest';
import { firstOf } from '../../../how-long.ts';
import { difference } from '../difference.ts';
import { recordedScenes } from '../transcripts.ts';
import { ourMachine } from './ours.ts';
import { type Card, type Station, titleOf } from './station.ts';

/** Our card says what QEMU's said in all scenes. Nothing is excluded. quick: files of which `npm test` has one. */
export function asRecorded<S extends Station>({ driver, scenes, station }: Card<S>, quick: number): void {
  describe.each(firstOf(quick, Object.entries(scenes)))('as recorded from QEMU 7.2: %s', (file, ofFile) => {
    const transcripts = recordedScenes(driver, file);

    test.each(firstOf(1, ofFile).map((scene) => [scene.name, scene] as const))('%s', async (_name, scene) => {
      const theirs = transcripts.get(titleOf(scene)) ?? [];
      expect(theirs.length, 'lines recorded').toBeGreaterThan(0);
      const ours: string[] = [];
      await scene.script(station(ourMachine(driver, scene)), (line) => void ours.push(line.trimEnd()));
      expect(difference(theirs, ours)).toBeUndefined();
    });
  });
}
