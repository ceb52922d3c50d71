import { latin1 } from '../../base/bytes.ts';
import { Problem } from '../../base/problem.ts';
import type { Seq, Tick } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type ConsoleText, consolesOf, LONGEST_LINE } from './console-text.ts';

/** What somebody waits for a guest to print: text, or an expression that part of a line matches. */
export interface PrintPattern {
  readonly wanted: string | RegExp;
  /** Absent: on any console. */
  readonly device?: string;
}

const LONGEST_PATTERN = 1000;
const QUOTED = /^(?:([\w-]+)\s+)?(?:"([^"]*)"|'([^']*)'|\/((?:\\.|[^/\\])+)\/([imsu]*))(?:\s+(.*))?$/s;

/** `[DEVICE] "text"`, `[DEVICE] /regex/`, or plain text to the end; `rest`: what follows the quoted pattern. */
export function readPrintPattern(words: string): { readonly pattern: PrintPattern; readonly rest: string } {
  if (words === '') throw new Problem('Say what is printed: `print "TEXT"`, `print /REGEX/`, `print serial1 "TEXT"`.');
  if (words.length > LONGEST_PATTERN) throw new Problem(`What is printed has at most ${LONGEST_PATTERN} characters.`);
  const match = QUOTED.exec(words);
  if (match === null) return { pattern: { wanted: words }, rest: '' };
  const [, device, double, single, source, flags, rest = ''] = match;
  const wanted = double ?? single ?? regexOf(source as string, flags as string);
  if (wanted === '') throw new Problem('What is printed is empty.');
  return { pattern: { wanted, ...(device === undefined ? {} : { device }) }, rest };
}

function regexOf(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new Problem(`/${source}/ cannot be read: ${(error as Error).message}`);
  }
}

const encoder = new TextEncoder();
/** As the guest sends it: a character a byte, in UTF-8. */
const sent = (text: string): string => latin1(encoder.encode(text));

/** Where a pattern is met: the event that completes it. */
export interface PrintedAt {
  readonly seq: Seq;
  readonly tick: Tick;
}

/** Every place where a console's text matches, in order. */
export function* printedIn(console: ConsoleText, wanted: string | RegExp): Generator<PrintedAt, void> {
  const { text } = console;
  for (const last of typeof wanted === 'string' ? endsOfText(text, sent(wanted)) : endsOfRegex(text, wanted)) {
    yield console.printedBy(last);
  }
}

function* endsOfText(text: string, wanted: string): Generator<number, void> {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    yield at + wanted.length - 1;
  }
}

function* endsOfRegex(text: string, { source, flags }: RegExp): Generator<number, void> {
  const regex = new RegExp(sent(source), flags.includes('g') ? flags : `${flags}g`);
  for (let from = 0; from < text.length; ) {
    const end = lineEnd(text, from);
    const line = text.slice(from, end).replace(/\r+$/, '');
    for (const { 0: found, index } of line.matchAll(regex)) yield from + Math.max(0, index + found.length - 1);
    from = text[end] === '\n' ? end + 1 : end;
  }
}

/** Where a line ends; one that is too long is cut. */
function lineEnd(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return Math.min(newline < 0 ? text.length : newline, from + LONGEST_LINE);
}

/** The events of a run that complete what a pattern waits for, in order. */
export function* printedBy(events: readonly Stamped[], { wanted, device }: PrintPattern): Work<PrintedAt[]> {
  const consoles = yield* consolesOf(events);
  if (device !== undefined && !consoles.has(device)) {
    throw new Problem(`Nothing was printed on ${device}: this run has ${[...consoles.keys()].join(', ') || 'none'}.`);
  }
  const found = [...consoles].flatMap(([name, console]) =>
    device === undefined || name === device ? [...printedIn(console, wanted)] : [],
  );
  return found.sort((a, b) => a.seq - b.seq);
}
