import { own } from '../../base/own.ts';
import { Problem } from '../../base/problem.ts';
import { finish, type Work } from '../../base/work.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';
import { PROMPT_COMMANDS } from './commands.ts';
import { registerNames } from '../look/named-registers.ts';
import type { DebugSession } from '../session.ts';
import { answerView, VIEW_NAMES } from '../views/asked.ts';
import { breakWords } from '../stops/stops.ts';

/** Short names, as gdb's users type them. */
const SHORT: Readonly<Record<string, string>> = {
  s: 'step',
  si: 'step',
  stepi: 'step',
  rsi: 'back',
  'reverse-stepi': 'back',
  c: 'continue',
  rc: 'rcontinue',
  'reverse-continue': 'rcontinue',
  'last-write': 'why',
  seek: 'at',
  when: 'at',
  '?': 'help',
};

const fullName = (name: string): string => own(SHORT, name) ?? name;

/** A line of the prompt, answered. */
export interface Answer {
  readonly text: string;
  /** The text says what is wrong with the line; nothing was done. */
  readonly isProblem: boolean;
}

/** Answer one line typed at the prompt, all at once. What is wrong with it is a sentence; the session goes on. */
export const answerPrompt = (session: DebugSession, line: string): string => finish(answering(session, line)).text;

/** The same in pieces. */
export function* answering(session: DebugSession, line: string): Work<Answer> {
  const match = /^([a-z?-]+)\s*(.*)$/.exec(line.trim());
  if (match === null) return line.trim() === '' ? { text: '', isProblem: false } : unknownCommand(line.trim());
  const [, first = '', words = ''] = match;
  const command = own(PROMPT_COMMANDS, fullName(first));
  try {
    const answer = command?.answer(session, words.trim()) ?? answerView(session, line);
    if (answer === undefined) return unknownCommand(first);
    const text = typeof answer === 'string' ? answer : yield* answer;
    const divergence = session.divergence();
    return { text: divergence === undefined ? text : `${divergence}\n${text}`, isProblem: divergence !== undefined };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return { text: problem.message, isProblem: true };
  }
}

const unknownCommand = (name: string): Answer => ({
  text: `Unknown command '${name}'. \`help\` lists them.`,
  isProblem: true,
});

const COMPLETIONS_MAX = 100;
const TAKE_EVENTS = new Set(['at', 'continue', 'rcontinue', 'events']);

/** What the last word of a line can become. */
export function completionsOf(session: DebugSession, line: string): readonly [string[], string] {
  const words = line.split(/\s+/);
  const last = words[words.length - 1] as string;
  if (words.length === 1) {
    const names = [...Object.keys(PROMPT_COMMANDS), ...Object.keys(SHORT), ...VIEW_NAMES, 'symbols', 'quit'];
    const found = names.filter((name) => name.startsWith(last));
    return [found.length === 1 ? [`${found[0]} `] : found, last];
  }
  const first = own(SHORT, words[0] as string) ?? (words[0] as string);
  if (last.startsWith('$')) return [registerNames(last.slice(1)).map((name) => `$${name}`), last];
  const stopWords = first === 'break' || first === 'tbreak' ? breakWords(words, last) : undefined;
  if (stopWords !== undefined) return [[...stopWords], last];
  const takesEvents = TAKE_EVENTS.has(first);
  const kinds = takesEvents ? Object.keys(VOCABULARY).filter((kind) => kind.startsWith(last)) : [];
  const symbols = !takesEvents || first === 'at' ? session.symbols.startingWith(last, COMPLETIONS_MAX) : [];
  return [[...kinds, ...symbols], last];
}
