/**
 * The pictures and walks of README.md and ARCHITECTURE.md, made from the code and from a golden trace: `npm run
 * pictures`. `test/house/pictures.test.ts` says when they are no longer true.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawPath } from './pictures/path.ts';
import { drawRooms, house } from './pictures/rooms.ts';
import { drawRun } from './pictures/run.ts';
import { tableOf } from './pictures/walked-table.ts';
import { walked } from './pictures/walks.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'docs/pictures');

const [BEGIN, END] = ['<!-- walks: npm run pictures -->\n', '<!-- end of walks -->'];

/** A text whose part between two marks is another. */
function between(text: string, made: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`ARCHITECTURE.md has no ${BEGIN.trim()} and ${END}.`);
  return text.slice(0, from + BEGIN.length) + made + text.slice(to);
}

mkdirSync(FOLDER, { recursive: true });
const walks = await walked(ROOT);
const [byte] = walks;
writeFileSync(join(FOLDER, 'rooms.svg'), await drawRooms(house()));
writeFileSync(join(FOLDER, 'run.svg'), await drawRun(join(ROOT, 'traces/tour.trace')));
if (byte !== undefined) writeFileSync(join(FOLDER, 'path.svg'), drawPath(byte));
const page = join(ROOT, 'ARCHITECTURE.md');
writeFileSync(page, between(readFileSync(page, 'utf8'), tableOf(walks)));
