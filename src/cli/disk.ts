import { SECTOR } from '../base/units.ts';
import { placeForImage, writeDiskImage } from '../host/disk-image.ts';
import { statusOf } from '../host/terminal.ts';
import { onOneLine } from '../base/printable.ts';
import type { Work } from '../base/work.ts';
import { changesOf, historyText } from '../debugger/history/disk-changes.ts';
import type { SparseBytes } from '../memory/sparse.ts';
import { UsageProblem } from '../options/usage.ts';
import { crashAt, endsWithoutPower } from '../replay/disk/crash.ts';
import { isOther } from '../replay/disk/difference.ts';
import { differenceText } from '../replay/disk/difference-text.ts';
import { contentAt } from '../replay/disk/drive-contents.ts';
import { RequestCounts, tellsOfDrives } from '../replay/disk/drive-events.ts';
import { sectorsNamed } from '../replay/disk/drives.ts';
import { listText } from '../replay/disk/list-text.ts';
import { fateText } from '../replay/disk/power-loss.ts';
import { endOf, markOf } from '../replay/places.ts';
import type { Mark } from '../replay/timeline.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import type { RecordedTimeline } from '../runs/recorded/recorded-run.ts';
import { crashPoints } from './disk-crash.ts';
import { filesText } from './disk-files.ts';
import { attended, withDrive } from './disk-opened.ts';
import { symbolsIn } from './symbols-in.ts';
import { openToLook, type Print, readThrough } from './trace-commands.ts';

/** What `retrovisor disk` is asked with. */
export interface DiskOptions extends ImagePaths {
  readonly drive?: string;
  readonly at?: string;
  readonly output?: string;
  readonly seed?: string;
  readonly points?: number;
  readonly check?: string;
  readonly symbols?: string;
  readonly all?: boolean;
}

/** A question about a trace's drives. */
export interface DiskQuestion {
  readonly path: string;
  readonly words: readonly string[];
  readonly options: DiskOptions;
  readonly print: Print;
}

/** How a question is answered, with which options, and with how many words. */
interface Action {
  readonly takes: readonly (keyof DiskOptions)[];
  readonly words: readonly [least: number, most: number];
  answer(question: DiskQuestion): number | Promise<number>;
}

/** To add an action, add its row. */
const ACTIONS: Readonly<Record<string, Action>> = {
  list: { takes: [], words: [0, 0], answer: list },
  history: { takes: ['drive', 'symbols', 'all'], words: [1, 1], answer: history },
  export: { takes: ['drive', 'at', 'output'], words: [0, 0], answer: exported },
  commit: { takes: ['drive', 'output'], words: [0, 0], answer: committed },
  diff: { takes: ['drive'], words: [2, 2], answer: diff },
  crash: { takes: ['drive', 'at', 'output', 'seed', 'points', 'check'], words: [0, 0], answer: crash },
};

const OPTIONS: readonly (keyof DiskOptions)[] = ['drive', 'at', 'output', 'seed', 'points', 'check', 'symbols', 'all'];

/** `retrovisor disk FILE ACTION`: what drives of a run held, and would hold. Resolves to the process status. */
export async function disk(action: string, question: DiskQuestion): Promise<number> {
  const { words, options } = question;
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (known === undefined) {
    throw new UsageProblem(`\`disk ${onOneLine(action)}\` is not known: ${Object.keys(ACTIONS).join(', ')}.`);
  }
  const [least, most] = known.words;
  if (words.length < least || words.length > most) throw new UsageProblem(USAGES[action]!);
  const other = OPTIONS.find((name) => options[name] !== undefined && !known.takes.includes(name));
  if (other !== undefined) throw new UsageProblem(`\`disk ${action}\` takes no --${other}.`);
  return await known.answer(question);
}

const USAGES: Readonly<Record<string, string>> = {
  list: '`disk FILE list` takes nothing more.',
  history: 'Say which sector: `disk FILE history SECTOR[+COUNT]`.',
  export: '`disk FILE export --at MARK -o IMAGE` takes nothing more.',
  commit: '`disk FILE commit -o IMAGE` takes nothing more.',
  diff: 'Say which marks: `disk FILE diff MARK MARK`; one with blanks in it is quoted.',
  crash: '`disk FILE crash --at MARK` or `--points N --check COMMAND` takes nothing more.',
};

const INTERRUPTED = statusOf('SIGINT');
const DIFFERENT = 3;

function list({ path, print }: DiskQuestion): number {
  const trace = openToLook(path);
  const { drives } = readDescription(trace.header.machine, path);
  const counts = new RequestCounts();
  const status = readThrough(trace, (stamped) => {
    if (tellsOfDrives(stamped.event.kind)) counts.next(stamped);
    return true;
  });
  print(listText(drives ?? [], Object.fromEntries(counts.byDrive)));
  return status;
}

async function history({ path, words, options, print }: DiskQuestion): Promise<number> {
  const trace = openToLook(path);
  const { drives } = readDescription(trace.header.machine, path);
  const named = sectorsNamed(drives, words[0]!, options.drive);
  const found = await attended('Reading', changesOf(inOrder(trace, 0, tellsOfDrives), named));
  if (found === undefined) return INTERRUPTED;
  const { events } = lazyEvents(trace);
  print(historyText({ events, symbols: symbolsIn(options.symbols) }, named, found, options.all === true));
  return 0;
}

/** Where somebody wants to stand. */
const placeIn = ({ run, events, timeline }: RecordedTimeline, at: string): Work<Mark | number> =>
  markOf(at, { events, pace: run.description }, timeline.now);

function exported(question: DiskQuestion): Promise<number> {
  const { at = 'end', output } = question.options;
  if (output === undefined) throw new UsageProblem('Say where to: -o IMAGE.');
  return withDrive(question, async ({ recorded, drive, kept, status }) => {
    placeForImage(output, kept);
    const work = function* (): Work<string> {
      const content = yield* contentAt(recorded.timeline, drive.id, yield* placeIn(recorded, at));
      yield* writeDiskImage(output, content, kept);
      return onOneLine(`${output}: drive ${drive.id} at ${at}, ${content.size / SECTOR} sectors`);
    };
    const text = await attended('Exporting', work());
    if (text === undefined) return INTERRUPTED;
    question.print(text);
    return status;
  });
}

/** What a drive held at the end, or of a run that ended without power what that left of it. */
function committed(question: DiskQuestion): Promise<number> {
  const { output } = question.options;
  if (output === undefined) throw new UsageProblem('Say where to: -o IMAGE.');
  return withDrive(question, async (opened) => {
    const { recorded, drive, kept, status } = opened;
    placeForImage(output, kept);
    const isLost = endsWithoutPower(recorded.events);
    const work = function* (): Work<string> {
      const end = endOf(recorded.events);
      const lost = isLost ? yield* crashAt(recorded, drive.id, end, recorded.run.seed) : undefined;
      const content = lost?.content ?? (yield* contentAt(recorded.timeline, drive.id, end));
      yield* writeDiskImage(output, content, kept);
      const fate = lost === undefined ? '' : `, without its power. ${fateText(lost)}`;
      return onOneLine(`${output}: drive ${drive.id} at end, ${content.size / SECTOR} sectors${fate}`);
    };
    const text = await attended('Committing', work());
    if (text === undefined) return INTERRUPTED;
    question.print(text);
    return status;
  });
}

function diff(question: DiskQuestion): Promise<number> {
  const { words, print } = question;
  return withDrive(question, async ({ recorded, drive, status }) => {
    const contents = function* (): Work<readonly [SparseBytes, SparseBytes, string]> {
      const places = [yield* placeIn(recorded, words[0]!), yield* placeIn(recorded, words[1]!)] as const;
      const left = yield* contentAt(recorded.timeline, drive.id, places[0]);
      const right = yield* contentAt(recorded.timeline, drive.id, places[1]);
      return [left, right, yield* differenceText(left, right)];
    };
    const found = await attended('Comparing', contents());
    if (found === undefined) return INTERRUPTED;
    const [left, right, text] = found;
    print(text);
    if (!isOther(left, right)) return status;
    for (const line of filesText(left, right)) print(onOneLine(line));
    return status === 0 ? DIFFERENT : status;
  });
}

function crash(question: DiskQuestion): Promise<number> {
  const { options, print } = question;
  const { at, output, seed = '1', points, check } = options;
  if (at === undefined && points === undefined) throw new UsageProblem('crash takes --at MARK or --points N.');
  if (points !== undefined) {
    if (check === undefined || output !== undefined) {
      throw new UsageProblem("`disk crash --points N` needs --check COMMAND, as 'e2fsck -fn {}', and takes no -o.");
    }
    return withDrive(question, (opened) =>
      crashPoints(opened, { path: question.path, points, check, seed, from: at ?? 'start' }, print),
    );
  }
  if (check !== undefined) throw new UsageProblem('`disk crash --at MARK` takes no --check: it belongs to --points.');
  return withDrive(question, async ({ recorded, drive, kept, status }) => {
    if (output !== undefined) placeForImage(output, kept);
    const work = function* (): Work<string> {
      const after = yield* crashAt(recorded, drive.id, yield* placeIn(recorded, at!), seed);
      if (output !== undefined) yield* writeDiskImage(output, after.content, kept);
      return `${fateText(after)}\n${yield* differenceText(after.without, after.content)}`;
    };
    const text = await attended('Crashing', work());
    if (text === undefined) return INTERRUPTED;
    print(text);
    if (output !== undefined) print(onOneLine(`${output}: drive ${drive.id} after its power failed at ${at}`));
    return status;
  });
}
