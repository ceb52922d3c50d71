import { describe, expect, test } from 'vitest';
import { firstOf } from '../../../how-long.ts';
import { difference } from '../difference.ts';
import { recordedScenes } from '../transcripts.ts';
import { ourMachine } from './ours.ts';
import { SCENES } from './scenes.ts';
import { Station, titleOf } from './station.ts';

/** Nothing is excluded. */
describe.each(Object.entries(SCENES))('as recorded from QEMU 7.2: %s', (file, scenes) => {
  const transcripts = recordedScenes('e1000', file);

  test.each(firstOf(1, scenes).map((scene) => [scene.name, scene] as const))('%s', async (_name, scene) => {
    const theirs = transcripts.get(titleOf(scene)) ?? [];
    expect(theirs.length, 'lines recorded').toBeGreaterThan(0);
    const ours: string[] = [];
    await scene.script(new Station(ourMachine(scene)), (line) => void ours.push(line.trimEnd()));
    expect(difference(theirs, ours)).toBeUndefined();
  });
});
