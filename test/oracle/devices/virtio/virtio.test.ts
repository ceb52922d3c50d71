import { describe, expect, test } from 'vitest';
import { firstOf } from '../../../how-long.ts';
import { difference } from '../difference.ts';
import { recordedScenes } from '../transcripts.ts';
import { excluded } from './exclusions.ts';
import { ourGuest } from './ours.ts';
import { SCENES, titleOf } from './scenes.ts';

describe.each(Object.entries(SCENES))('as recorded from QEMU 7.2: %s', (file, scenes) => {
  const transcripts = recordedScenes('virtio', file);

  test.each(firstOf(1, scenes).map((scene) => [scene.name, scene] as const))('%s', async (_name, scene) => {
    const theirs = transcripts.get(titleOf(scene)) ?? [];
    expect(theirs.length, 'lines recorded').toBeGreaterThan(0);
    const ours: string[] = [];
    await scene.script(ourGuest(scene), (line) => void ours.push(line.trimEnd()));
    expect(difference(theirs, ours, excluded(titleOf(scene), theirs))).toBeUndefined();
  });
});

test('less than one line in a hundred is excluded', () => {
  let [all, apart] = [0, 0];
  for (const file of Object.keys(SCENES)) {
    for (const [title, lines] of recordedScenes('virtio', file)) {
      all += lines.length;
      apart += excluded(title, lines).size;
    }
  }
  expect(apart / all).toBeLessThan(0.01);
});
