import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { firstOf } from '../../../how-long.ts';
import { ourMachine } from './ours.ts';
import { SCENES } from './scenes.ts';
import { Station, titleOf } from './station.ts';

/** Transcripts by the titles they stand under. */
function recorded(file: string): ReadonlyMap<string, readonly string[]> {
  const text = readFileSync(new URL(`../recorded/e1000/${file}.txt`, import.meta.url), 'utf8');
  const parts = text.split(/^(?=## )/m).map((part) => part.trimEnd().split('\n'));
  return new Map(parts.map(([title = '', ...lines]) => [title, lines]));
}

/** The first line that differs, with those before it. */
function difference(theirs: readonly string[], ours: readonly string[]): object | undefined {
  const all = Array.from({ length: Math.max(theirs.length, ours.length) }, (_, at) => at);
  const first = all.find((at) => theirs[at] !== ours[at]);
  if (first === undefined) return undefined;
  return { line: first, before: theirs.slice(Math.max(0, first - 6), first), qemu: theirs[first], ours: ours[first] };
}

/** Nothing is excluded. */
describe.each(Object.entries(SCENES))('as recorded from QEMU 7.2: %s', (file, scenes) => {
  const transcripts = recorded(file);

  test.each(firstOf(1, scenes).map((scene) => [scene.name, scene] as const))('%s', async (_name, scene) => {
    const theirs = transcripts.get(titleOf(scene)) ?? [];
    expect(theirs.length, 'lines recorded').toBeGreaterThan(0);
    const ours: string[] = [];
    await scene.script(new Station(ourMachine(scene)), (line) => void ours.push(line.trimEnd()));
    expect(difference(theirs, ours)).toBeUndefined();
  });
});
