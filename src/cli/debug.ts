import { createInterface, type Interface } from 'node:readline/promises';
import type { Work } from '../base/work.ts';
import { attend } from '../host/attend.ts';
import { readImage } from '../host/files.ts';
import { hearInterrupt, type Interrupt } from '../host/interrupt.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { machinesAt } from '../host/trace-source.ts';
import { RecordedMachines } from '../runs/fabric/recorded-machines.ts';
import { Company } from '../debugger/prompt/company.ts';
import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import { complain, printText } from '../host/output.ts';
import { statusOf } from '../host/terminal.ts';
import { endOf } from '../replay/places.ts';
import { type Answer, answering, completionsOf } from '../debugger/prompt/prompt.ts';
import { type DebugSession, describePlace, openDebugSession } from '../debugger/session.ts';
import { readSymbols } from '../debugger/symbols/symbols.ts';
import { statusOfRun } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** How the debugger is started. */
export interface DebugOptions extends ImagePaths {
  readonly symbols?: readonly string[];
  /** Where to stand at first. */
  readonly at?: string;
  /** Commands to answer before, or instead of, what is typed. */
  readonly ex?: readonly string[];
  readonly batch?: boolean;
}

const promptOf = ({ name }: Stand): string => `(rewind${name === undefined ? '' : ` ${name}`}) `;
const FAILED = 1;
/** Most that checkpoints of all machines of a recording hold. */
const HELD_BYTES = 2 ** 30;
const INTERRUPTED = statusOf('SIGINT');

/** Where somebody stands: in a run, or in one of several machines. */
interface Stand {
  readonly session: DebugSession;
  /** Its name, of several. */
  readonly name: string | undefined;
  answering(line: string): Work<Answer>;
}

/** Somebody at the prompt, and what they asked to stop. */
interface Talk {
  readonly stand: Stand;
  /** A person sits at a terminal. */
  readonly interactive: boolean;
  readonly interrupt: Interrupt;
  readonly say: Print;
}

/** `retrovisor debug`: stand in a recorded run. Resolves to the process status. */
export async function debug(path: string, options: DebugOptions, print: Print): Promise<number> {
  const { stand, status } = standIn(path, options);
  for (const file of options.symbols ?? []) addSymbols(stand.session, file);
  const interactive = options.batch !== true && process.stdin.isTTY === true && process.stdout.isTTY === true;
  const say = interactive ? (text: string) => printText(text === '' ? '' : `${text}\n`) : print;
  const talk = { stand, interactive, interrupt: hearInterrupt(), say };
  const asked = [...(options.at === undefined ? [] : [`at ${options.at}`]), ...(options.ex ?? [])];
  try {
    const given = await answerGiven(talk, asked);
    if (options.batch === true) return given === 0 ? status : given;
    if (given === INTERRUPTED && !interactive) return given;
    if ((await converse(talk)) === 'interrupted') return INTERRUPTED;
  } finally {
    talk.interrupt.close();
  }
  return status;
}

/** In a run, or in the first or the named one of the machines of a recording of several. */
function standIn(path: string, options: DebugOptions): { readonly stand: Stand; readonly status: number } {
  const access = { ...options, acceptCut: true };
  const joint = machinesAt(path);
  if (joint === undefined) {
    const recorded = openRecordedRun(NODE, path, access);
    const status = statusOfRun(recorded);
    const session = openDebugSession(openTimeline(recorded, { onStoredProblem: complain }));
    return { stand: { session, name: undefined, answering: (line) => answering(session, line) }, status };
  }
  const setting = { access, heldBytes: HELD_BYTES, say: complain };
  const machines = new RecordedMachines(NODE, joint.file, joint.manifest, setting);
  const status = statusOfRun(machines.timeline(joint.at ?? 0).run);
  return { stand: new Company(machines, joint.at ?? 0), status };
}

/** The commands of the command line, as gdb does: what is wrong with one is said, and the next one answered. */
async function answerGiven(talk: Talk, lines: readonly string[]): Promise<number> {
  let status = 0;
  for (const line of lines) {
    const { text, isProblem, isStopped } = await answered(talk, line);
    if (isProblem) {
      complain(`--ex '${line}': ${text}`);
      status = FAILED;
    } else talk.say(text);
    if (isStopped) return INTERRUPTED;
  }
  return status;
}

/** `FILE [OFFSET]`. */
function addSymbols(session: DebugSession, words: string): string {
  const [path = '', offset = '0'] = words.split(/\s+/);
  if (path === '') throw new Problem('Say which file: `symbols FILE [OFFSET]`.');
  if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(offset)) throw new Problem(`${offset} is not an offset.`);
  const base = offset.startsWith('-') ? -BigInt(offset.slice(1)) : BigInt(offset);
  session.symbols = readSymbols(path, readImage('read the symbols', path), base);
  return `${session.symbols.count} symbols from ${path}`;
}

/** Answer a line; Ctrl-C stops it where it is. */
async function answered({ stand, interrupt }: Talk, line: string): Promise<Answer & { readonly isStopped: boolean }> {
  interrupt.clear();
  const work = answeringAll(stand, line);
  const answer = await attend(work, line.trim(), () => interrupt.isAsked);
  if (answer.isDone) return { ...answer.value, isStopped: false };
  const share = answer.share === undefined ? '' : ` after ${Math.floor(answer.share * 100)} %`;
  return { text: `Stopped${share}.\n${describePlace(stand.session)}`, isProblem: false, isStopped: true };
}

/** The prompt's commands, and the one that reads a file. */
function* answeringAll(stand: Stand, line: string): Work<Answer> {
  const match = /^symbols\b\s*(.*)$/.exec(line.trim());
  if (match === null) return yield* stand.answering(line);
  try {
    return { text: addSymbols(stand.session, match[1] as string), isProblem: false };
  } catch (problem) {
    if (problem instanceof Problem) return { text: problem.message, isProblem: true };
    throw problem;
  }
}

/** Completions without names that a terminal would obey: they are shown, and typed, as they are. */
const typeable = ([names, last]: readonly [string[], string]): [string[], string] => [
  names.filter((name) => onOneLine(name) === name),
  last,
];

async function converse(talk: Talk): Promise<'left' | 'interrupted'> {
  const { stand, interactive, interrupt, say } = talk;
  if (interactive) {
    const { session } = stand;
    const { tick, seq } = endOf(session.run.events);
    say(`A run of ${tick} instructions and ${seq} events. \`help\` lists the commands.\n${describePlace(session)}`);
  }
  const lines = createInterface({
    input: process.stdin,
    output: interactive ? process.stdout : undefined,
    prompt: promptOf(stand),
    historySize: 1000,
    completer: (line: string) => typeable(completionsOf(stand.session, line)),
  });
  const close = (): void => lines.close();
  let isBusy = false;
  if (interactive) {
    lines.on('SIGINT', () => {
      if (isBusy) interrupt.ask();
      else clearLine(lines);
    });
    lines.prompt();
  } else process.once('SIGINT', close);
  let previous = '';
  for await (const typed of lines) {
    // An empty line repeats the last command, as in gdb.
    const line = typed.trim() === '' && interactive ? previous : typed;
    previous = line;
    if (/^(q|quit|exit)$/.test(line.trim())) break;
    isBusy = true;
    say((await answered(talk, line)).text);
    isBusy = false;
    if (interactive) {
      lines.setPrompt(promptOf(stand));
      lines.prompt();
    } else if (interrupt.isAsked) break;
  }
  lines.close();
  process.off('SIGINT', close);
  return !interactive && interrupt.isAsked ? 'interrupted' : 'left';
}

/** Ctrl-C at an idle prompt: the line is given up, and the debugger stays. */
function clearLine(lines: Interface): void {
  lines.write(null, { ctrl: true, name: 'e' });
  printText('^C\n');
  lines.write(null, { ctrl: true, name: 'u' });
  lines.prompt();
}
