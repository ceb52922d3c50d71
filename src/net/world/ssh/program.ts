/** What runs in channels: commands of the world's file, and a small shell that takes them line by line. */
import { latin1 } from '../../../base/bytes.ts';
import { sha256Text } from '../../../base/sha256.ts';
import type { SshCommand } from '../world.ts';
import type { Channel, Program } from './state.ts';
import { utf8 } from './wire.ts';

/** What a program has done. */
export interface Step {
  /** The line that was run; empty: none. */
  readonly command: string;
  /** Characters of what was typed that are done with. */
  readonly used: number;
  /** What is typed of the next line. */
  readonly line: string;
  /** What is said, a byte a character. */
  readonly output: string;
  readonly errors: string;
  /** What the program has ended with; undefined: it goes on. */
  readonly status: number | undefined;
  /** What the last command of a shell has ended with. */
  readonly last: number;
}

const NOTHING_DONE: Step = { command: '', used: 0, line: '', output: '', errors: '', status: undefined, last: 0 };

const NOT_FOUND = 127;
const INTERRUPTED = 130;
const MOST_LINE = 1024;
const PROMPT = '$ ';

/** What a command comes to: 'echo' and 'hash' read before they end. */
interface Command {
  readonly does: 'say' | 'echo' | 'hash' | 'exit';
  readonly output: string;
  readonly errors: string;
  readonly status: number;
}

const text = (of: string | undefined): string => (of === undefined ? '' : latin1(utf8(of)));

function commandOf(commands: readonly SshCommand[], line: string, last: number): Command {
  const words = line.trim();
  const nothing = { output: '', errors: '', status: 0 };
  if (words === '') return { does: 'say', ...nothing, status: last };
  const known = commands.find(({ command }) => command === words);
  if (known !== undefined) {
    const { does = 'say', output, errors, status = 0 } = known;
    return { does, output: text(output), errors: text(errors), status };
  }
  const exit = /^exit(?: (\d{1,3}))?$/.exec(words);
  if (exit !== null) return { does: 'exit', ...nothing, status: exit[1] === undefined ? last : Number(exit[1]) & 0xff };
  const [name = ''] = words.split(' ');
  return {
    does: 'say',
    ...nothing,
    errors: `sh: 1: ${text(name).slice(0, MOST_LINE)}: not found\n`,
    status: NOT_FOUND,
  };
}

/** What `exec` begins. */
export interface Begun extends Step {
  readonly program: Program['is'];
}

/** A command is run for a channel of its own. */
export function execute(commands: readonly SshCommand[], line: string): Begun {
  const { does, output, errors, status } = commandOf(commands, line, 0);
  const isReading = does === 'echo' || does === 'hash';
  const step = { ...NOTHING_DONE, command: line, output, errors };
  return isReading ? { ...step, program: does } : { ...step, program: 'done', status };
}

/** A shell begins. */
export const shellBegins = ({ hasTerminal }: Channel): Begun => ({
  ...{ ...NOTHING_DONE, program: 'shell', output: hasTerminal ? PROMPT : '' },
});

/** What the program of a channel does now; undefined: it waits. */
export function nextStep(commands: readonly SshCommand[], channel: Channel): Step | undefined {
  const { program, guestEnds, output, errors, status } = channel;
  if (program === undefined || status !== undefined || output !== '' || errors !== '') return undefined;
  switch (program.is) {
    case 'echo':
      return guestEnds ? { ...NOTHING_DONE, status: 0 } : undefined;
    case 'hash':
      return guestEnds ? { ...NOTHING_DONE, output: `${sha256Text(program.hash)}  -\n`, status: 0 } : undefined;
    case 'shell':
      return channel.hasTerminal ? atTerminal(commands, channel, program) : inLines(commands, channel, program);
    default:
      return undefined;
  }
}

type Shell = Extract<Program, { is: 'shell' }>;

/** Lines that come through a pipe. The last may have no end. */
function inLines(
  commands: readonly SshCommand[],
  { typed, guestEnds }: Channel,
  { line, last }: Shell,
): Step | undefined {
  const at = typed.indexOf('\n');
  if (at < 0 && !guestEnds) {
    if (typed === '') return undefined;
    // What is beyond a line's length is lost.
    return { ...NOTHING_DONE, used: typed.length, line: (line + typed).slice(0, MOST_LINE), last };
  }
  const whole = (line + (at < 0 ? typed : typed.slice(0, at))).slice(0, MOST_LINE);
  const { does, output, errors, status } = commandOf(commands, decoded(whole), last);
  const used = at < 0 ? typed.length : at + 1;
  const isOver = does === 'exit' || (at < 0 && guestEnds);
  return { command: decoded(whole), used, line: '', output, errors, status: isOver ? status : undefined, last: status };
}

const DECODER = new TextDecoder();
const decoded = (line: string): string => DECODER.decode(Uint8Array.from(line, (byte) => byte.charCodeAt(0)));

const CONTROL = { INTERRUPT: '\x03', END: '\x04', KILL: '\x15' } as const;
const ERASE = '\b \b';

/** What is typed at a terminal: it is said back as it comes, and edited. Up to the end of the first line. */
function atTerminal(commands: readonly SshCommand[], { typed, guestEnds }: Channel, shell: Shell): Step | undefined {
  const { last } = shell;
  if (typed === '') return guestEnds ? { ...NOTHING_DONE, status: last } : undefined;
  let { line } = shell;
  let output = '';
  for (let at = 0; at < typed.length; at += 1) {
    const key = typed[at]!;
    const step = { ...NOTHING_DONE, used: at + 1, last };
    if (key === '\r' || key === '\n') return entered(commands, step, output, line);
    if (key === CONTROL.END && line === '') return { ...step, output: `${output}exit\r\n`, status: last };
    if (key === CONTROL.INTERRUPT) return { ...step, output: `${output}^C\r\n${PROMPT}`, last: INTERRUPTED };
    if (key === '\b' || key === '\x7f') {
      output += line === '' ? '' : ERASE;
      line = line.slice(0, -1);
    } else if (key === CONTROL.KILL) {
      output += ERASE.repeat(line.length);
      line = '';
    } else if (key >= ' ' && line.length < MOST_LINE) {
      output += key;
      line += key;
    }
  }
  return { ...NOTHING_DONE, used: typed.length, line, output, last };
}

/** A terminal has one stream, whose lines begin at the left. */
const onTerminal = (said: string): string => said.replaceAll('\n', '\r\n');

function entered(commands: readonly SshCommand[], step: Step, echo: string, line: string): Step {
  const { does, output, errors, status } = commandOf(commands, decoded(line), step.last);
  const said = `${echo}\r\n${onTerminal(output + errors)}`;
  const run = { ...step, command: decoded(line), last: status };
  return does === 'exit' ? { ...run, output: said, status } : { ...run, output: `${said}${PROMPT}` };
}
