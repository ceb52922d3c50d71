/** What scripts saw of a real QEMU 7.2, by the folder and file of `recorded` they lie in. */
import { readFileSync, writeFileSync } from 'node:fs';

const placeOf = (folder: string, file: string): URL => new URL(`recorded/${folder}/${file}.txt`, import.meta.url);

/** Transcripts by the titles they stand under. */
export function recordedScenes(folder: string, file: string): ReadonlyMap<string, readonly string[]> {
  const parts = readFileSync(placeOf(folder, file), 'utf8')
    .split(/^(?=## )/m)
    .map((part) => part.trimEnd().split('\n'));
  return new Map(parts.map(([title = '', ...lines]) => [title, lines]));
}

/** Write the transcripts of scenes down: of the files that the command line names, or of all. */
export async function recordScenes<Scene>(
  folder: string,
  scenes: Readonly<Record<string, readonly Scene[]>>,
  transcript: (scene: Scene) => Promise<readonly string[]>,
): Promise<void> {
  const [, , ...only] = process.argv;
  for (const [file, ofFile] of Object.entries(scenes)) {
    if (only.length > 0 && !only.includes(file)) continue;
    const lines: string[] = [];
    for (const scene of ofFile) lines.push(...(await transcript(scene)));
    writeFileSync(placeOf(folder, file), lines.map((line) => `${line}\n`).join(''));
    process.stdout.write(`${file}: ${lines.length} lines\n`);
  }
}
