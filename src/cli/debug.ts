import { createInterface } from 'node:readline/promises';
import { readImage } from '../host/files.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { Problem } from '../base/problem.ts';
import { writeOut } from '../host/terminal.ts';
import { endOf } from '../replay/places.ts';
import { answerPrompt, completionsOf } from '../debugger/prompt/prompt.ts';
import { type DebugSession, describePlace, openDebugSession } from '../debugger/session.ts';
import { readSymbols } from '../debugger/symbols/symbols.ts';
import { sayCut } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** How the debugger is started. */
export interface DebugOptions extends ImagePaths {
  readonly symbols?: readonly string[];
  /** Commands to answer before, or instead of, what is typed. */
  readonly ex?: readonly string[];
  readonly batch?: boolean;
}

const PROMPT = '(rewind) ';
const DAMAGED = 1;

/** `retrovisor debug`: stand in a recorded run. Resolves to the process status. */
export async function debug(path: string, options: DebugOptions, print: Print): Promise<number> {
  const recorded = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  sayCut(recorded.trace);
  const onStoredProblem = (sentence: string): void => void process.stderr.write(`retrovisor: ${sentence}\n`);
  const session = openDebugSession(openTimeline(recorded, { onStoredProblem }));
  const { damage } = recorded.read;
  if (damage !== undefined) process.stderr.write(`retrovisor: ${damage}\n`);
  for (const file of options.symbols ?? []) addSymbols(session, file);
  for (const line of options.ex ?? []) print(answered(session, line));
  if (options.batch !== true) await converse(session, print);
  return damage === undefined ? 0 : DAMAGED;
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

function answered(session: DebugSession, line: string): string {
  const match = /^symbols\b\s*(.*)$/.exec(line.trim());
  if (match === null) return answerPrompt(session, line);
  try {
    return addSymbols(session, match[1] as string);
  } catch (problem) {
    if (problem instanceof Problem) return problem.message;
    throw problem;
  }
}

async function converse(session: DebugSession, print: Print): Promise<void> {
  const { stdin, stdout } = process;
  const interactive = stdin.isTTY === true && stdout.isTTY === true;
  const say = interactive ? (text: string) => writeOut(Buffer.from(text === '' ? '' : `${text}\n`)) : print;
  if (interactive) {
    const { tick, seq } = endOf(session.run.events);
    say(`A run of ${tick} instructions and ${seq} events. \`help\` lists the commands.\n${describePlace(session)}`);
  }
  const lines = createInterface({
    input: stdin,
    output: interactive ? stdout : undefined,
    prompt: PROMPT,
    historySize: 1000,
    completer: (line: string) => completionsOf(session, line) as [string[], string],
  });
  let previous = '';
  if (interactive) lines.prompt();
  for await (const typed of lines) {
    // An empty line repeats the last command, as in gdb.
    const line = typed.trim() === '' && interactive ? previous : typed;
    previous = line;
    if (/^(q|quit|exit)$/.test(line.trim())) break;
    say(answered(session, line));
    if (interactive) lines.prompt();
  }
  lines.close();
}
