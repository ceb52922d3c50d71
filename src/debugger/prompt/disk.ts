/** `disk`: what drives of a run held, hold and would hold. */
import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import { crashAt } from '../../replay/disk/crash.ts';
import { fateText } from '../../replay/disk/power-loss.ts';
import { differenceText } from '../../replay/disk/difference-text.ts';
import { contentAt } from '../../replay/disk/drive-contents.ts';
import { driveNamed } from '../../replay/disk/drives.ts';
import { listText } from '../../replay/disk/list-text.ts';
import type { DriveConfig } from '../../vmm/config.ts';
import { history } from '../history/writes.ts';
import type { DebugSession } from '../session.ts';
import { staying } from '../stops/windows.ts';
import { placeOf } from './place.ts';

/** What is asked of drives: an answer in words. The session stays where it is. */
type Question = (session: DebugSession, words: string, drive: string | undefined) => Work<string>;

const QUESTIONS: Readonly<Record<string, Question>> = {
  // biome-ignore lint/correctness/useYield: it is known at once
  *list(session) {
    return listText(drivesOf(session), session.view.machine.state.vmm.drives);
  },
  history: (session, words, id) => history(session, id === undefined ? `disk:${words}` : `disk:${id}:${words}`),
  diff(session, words, id) {
    const drive = driveNamed(drivesOf(session), id);
    return staying(session, difference(session, drive.id, words));
  },
  crash(session, words, id) {
    const drive = driveNamed(drivesOf(session), id);
    return staying(session, crash(session, drive.id, words === '' ? '1' : words));
  },
};

const drivesOf = ({ view }: DebugSession): readonly DriveConfig[] => view.machine.state.config.drives ?? [];

function* difference(session: DebugSession, drive: string, words: string): Work<string> {
  const places = words.replace(/\btick\s+(?=\d)/g, '').split(/\s+/);
  const [from = '', to] = places;
  if (from === '' || places.length > 2) throw new Problem('Say which marks: `disk diff MARK [MARK]`.');
  const { timeline } = session.run;
  const here = session.now;
  const second = to === undefined ? here : yield* placeOf(session, to);
  yield* session.going(here);
  const left = yield* contentAt(timeline, drive, yield* placeOf(session, from));
  const right = yield* contentAt(timeline, drive, second);
  return yield* differenceText(left, right);
}

function* crash(session: DebugSession, drive: string, seed: string): Work<string> {
  const after = yield* crashAt(session.run, drive, session.now, seed);
  const text = yield* differenceText(after.without, after.content);
  return `${fateText(after)}\n${text}`;
}

/** `disk [list|history|diff|crash] [--drive ID] ...`. */
export function disk(session: DebugSession, words: string): Work<string> {
  const [, id] = /--drive[\s=]+(\S+)/.exec(words) ?? [];
  const [name = 'list', ...rest] = words
    .replace(/\s*--drive[\s=]+\S+/, '')
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const question = Object.hasOwn(QUESTIONS, name) ? QUESTIONS[name] : undefined;
  if (question === undefined) throw new Problem(`\`disk ${name}\` is not known: ${Object.keys(QUESTIONS).join(', ')}.`);
  return question(session, rest.join(' '), id);
}
