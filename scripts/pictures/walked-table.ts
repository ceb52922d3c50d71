/** The walks as ARCHITECTURE.md tells them. */
import { basename, dirname } from 'node:path';
import type { Step, Walked } from './walks.ts';

/** What a walk came to before the rooms of D-028, measured in the same way. */
const BEFORE: Readonly<Record<string, { readonly files: number; readonly rooms: number; readonly events: number }>> = {
  'A byte out of COM1': { files: 74, rooms: 10, events: 20 },
  'An EPT violation': { files: 39, rooms: 9, events: 6 },
  'A tick of the LAPIC timer': { files: 36, rooms: 8, events: 10 },
};

const roomsOf = ({ files }: Walked): number => new Set(files.map((file) => file.split('/')[0])).size;

const linkTo = (file: string): string => `[${basename(file)}](src/${file})`;

/** Events one after the other that files of one folder decided: which files, which kinds of events. */
interface Stretch {
  readonly folder: string;
  readonly files: Set<string>;
  readonly kinds: Map<string, number>;
}

function stretchesOf(steps: readonly Step[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { decidedBy, kind } of steps) {
    const folder = dirname(decidedBy);
    const last = stretches.at(-1);
    const stretch = last?.folder === folder ? last : { folder, files: new Set<string>(), kinds: new Map() };
    if (stretch !== last) stretches.push(stretch);
    stretch.files.add(decidedBy);
    stretch.kinds.set(kind, (stretch.kinds.get(kind) ?? 0) + 1);
  }
  return stretches;
}

const counted = ([kind, times]: readonly [string, number]): string =>
  times === 1 ? `\`${kind}\`` : `\`${kind}\` (${times})`;

function row(walk: Walked): string {
  const before = BEFORE[walk.name];
  const was = before === undefined ? 'impossible' : `${before.events} / ${before.files} / ${before.rooms}`;
  return `| ${walk.name} | ${was} | ${walk.steps.length} / ${walk.files.length} / ${roomsOf(walk)} |`;
}

/** A stretch as one cell of a line: the files, and what they decided. */
const told = ({ files, kinds }: Stretch): string =>
  `${[...files].map(linkTo).join(' ')} ${[...kinds].map(counted).join(' ')}`;

const way = ({ name, steps }: Walked): string => `* ${name}: ${stretchesOf(steps).map(told).join(' → ')}`;

/** Markdown: what each walk comes to, then its way. */
export const tableOf = (walks: readonly Walked[]): string =>
  [
    '| From the first event to the last | Events / files / rooms before | now |',
    '|---|---|---|',
    ...walks.map(row),
    '',
    ...walks.map(way),
    '',
  ].join('\n');
