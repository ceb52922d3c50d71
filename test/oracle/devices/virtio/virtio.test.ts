import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { firstOf } from '../../../how-long.ts';
import { difference } from './difference.ts';
import { excluded } from './exclusions.ts';
import { ourGuest } from './ours.ts';
import { SCENES, titleOf } from './scenes.ts';

/** Transcripts by the titles they stand under. */
function recorded(file: string): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(new URL(`../recorded/virtio/${file}.txt`, import.meta.url), 'utf8');
  const parts = text.split(/^(?=## )/m).map((part) => part.trimEnd().split('\n'));
  return new Map(parts.map(([title = '', ...lines]) => [title, lines]));
}

describe.each(Object.entries(SCENES))('as recorded from QEMU 7.2: %s', (file, scenes) => {
  const transcripts = recorded(file);

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
    for (const [title, lines] of recorded(file)) {
      all += lines.length;
      apart += excluded(title, lines).size;
    }
  }
  expect(apart / all).toBeLessThan(0.01);
});
