import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import { describeStamped } from '../../replay/divergence.ts';
import { filterOf, matcher } from '../../replay/export/event-filter.ts';
import { vcpuCount } from '../../machine/guest-view.ts';
import { kernelSymbols } from '../symbols/kallsyms.ts';
import { nextEvent, previousEvent } from '../../replay/places.ts';
import { clearStops, describeStops, find, setBreak, setTemporary, setWatch, towards } from './stops.ts';
import { type DebugSession, describePlace } from '../session.ts';
import { placeOf } from './place.ts';
import { staying } from '../stops/windows.ts';
import { fieldDifferences, leavesOf, pageDifferences, printed, snapshotOf } from '../history/state-difference.ts';
import { symbolTable } from '../symbols/symbols.ts';
import { viewsHelp } from '../views/asked.ts';
import { countOf } from '../views/view.ts';
import { chain } from './chain.ts';
import { disk } from './disk.ts';
import { history, why } from '../history/writes.ts';

/** One command of the debugger's prompt. `words` is what follows its name. */
export interface PromptCommand {
  readonly usage: string;
  readonly help: string;
  /** It asks, and the session stays where it is: gdb may ask it too. */
  readonly isQuestion?: boolean;
  /** What takes time is done in pieces, so that somebody can stop it. */
  readonly answer: (session: DebugSession, words: string) => string | Work<string>;
}

const EVENTS_SHOWN = 20;
const FIELDS_SHOWN = 60;

/** Both marks are counted from where one stands. */
function difference(session: DebugSession, words: string): Work<string> {
  const places = words.replace(/\btick\s+(?=\d)/g, '').split(/\s+/);
  const [from, to] = places;
  if (from === undefined || from === '' || places.length > 2) throw new Problem('Say which marks: `diff MARK [MARK]`.');
  return staying(session, differenceOf(session, from, to));
}

function* differenceOf(session: DebugSession, from: string, to: string | undefined): Work<string> {
  const here = session.now;
  const there = to === undefined ? here : yield* placeOf(session, to);
  yield* session.going(here);
  yield* session.going(yield* placeOf(session, from));
  const left = snapshotOf(session.view);
  yield* session.going(there);
  const right = snapshotOf(session.view);
  const fields = fieldDifferences(left, right).flatMap(leavesOf);
  const pages = pageDifferences(session.view, left, right);
  const lines = fields
    .slice(0, FIELDS_SHOWN)
    .map(({ path, left: one, right: other }) => `  ${path}: ${printed(one)} -> ${printed(other)}`);
  const rest = fields.length - lines.length;
  const shown = pages.slice(0, EVENTS_SHOWN).map((gpa) => `0x${gpa.toString(16)}`);
  return [
    `${fields.length} fields and ${pages.length} pages of guest memory differ.`,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    ...(pages.length > 0 ? [`  pages ${shown.join(' ')}${pages.length > shown.length ? ' ...' : ''}`] : []),
  ].join('\n');
}

function* eventsAround(session: DebugSession, words: string): Work<string> {
  const { events } = session.run;
  const { seq } = session;
  const match = /^(\d*)\s*(.*)$/.exec(words) as RegExpExecArray;
  const count = countOf(match[1] as string, EVENTS_SHOWN);
  const isWanted = match[2] === '' ? () => true : matcher(filterOf(match[2] as string));
  const shown: Stamped[] = [];
  for (let before = seq; shown.length < count / 2; ) {
    const found = yield* previousEvent(events, before, isWanted);
    if (found === undefined) break;
    shown.unshift(found);
    before = found.seq;
  }
  for (let after = seq; shown.length < count; ) {
    const found = yield* nextEvent(events, after, isWanted);
    if (found === undefined) break;
    shown.push(found);
    after = found.seq + 1;
  }
  return shown.map((stamped) => `${stamped.seq < seq ? '  ' : '> '}${describeStamped(stamped)}`).join('\n');
}

function processor(session: DebugSession, words: string): string {
  const count = vcpuCount(session.view);
  if (words === '') return `vcpu${session.vcpu} of ${count}`;
  const vcpu = Number(words);
  if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= count)
    throw new Problem(`There is no vcpu ${words}: 0 to ${count - 1}.`);
  session.vcpu = vcpu;
  return describePlace(session);
}

/** The prompt's commands. To add one, add its row. */
export const PROMPT_COMMANDS: Readonly<Record<string, PromptCommand>> = {
  at: {
    usage: 'at [PLACE]',
    help: 'go to: start, end, tick, @12.5ms, #EVENT, 25%, +N, -N, ADDR, print "TEXT", event KIND [TEXT] [if COND]',
    *answer(session, words) {
      if (words !== '') yield* session.going(yield* placeOf(session, words));
      return describePlace(session);
    },
  },
  step: {
    usage: 'step [N]',
    help: 'N instructions on',
    *answer(session, words) {
      yield* session.stepping(countOf(words, 1));
      return describePlace(session);
    },
  },
  back: {
    usage: 'back [N]',
    help: 'N instructions back',
    *answer(session, words) {
      yield* session.stepping(-countOf(words, 1));
      return describePlace(session);
    },
  },
  continue: {
    usage: 'continue [KIND [TEXT]]',
    help: 'on to the next stop or to the end; with a kind, to its next event; `continue print "TEXT"`',
    answer: (session, words) => towards(session, words, false),
  },
  rcontinue: {
    usage: 'rcontinue [KIND [TEXT]]',
    help: 'back to the last stop or to the beginning; with a kind, to its last event',
    answer: (session, words) => towards(session, words, true),
  },
  break: {
    usage: 'break WHAT [if COND]',
    help:
      'stop at ADDR or phys:ADDR [cr3 N], event KIND [TEXT], exit REASON, packet [CLIENT], port N [in|out], msr N, ' +
      'print "TEXT"',
    answer: setBreak,
  },
  tbreak: { usage: 'tbreak WHAT [if COND]', help: 'the same, once', answer: setTemporary },
  watch: {
    usage: 'watch WHAT [if COND]',
    help: 'stop when ADDR or phys:ADDR[/BYTES] is written [read|access], or when $REGISTER changes',
    answer: setWatch,
  },
  delete: { usage: 'delete [N]', help: 'forget one stop, or all', answer: clearStops },
  find: {
    isQuestion: true,
    usage: 'find next|last STOP',
    help: 'where `break ...` or `watch ...` would stop, without going there',
    answer: find,
  },
  stops: { usage: 'stops', help: 'where to stop', answer: describeStops },
  vcpu: { usage: 'vcpu [N]', help: 'the processor questions are about', answer: processor },
  vm: {
    usage: 'vm [NAME]',
    help: 'of several machines: which there are, or to another at the same moment',
    answer: () => 'The run has one machine.',
  },
  why: {
    isQuestion: true,
    usage: 'why WHAT',
    help:
      'who last wrote to ADDR, phys:ADDR[/BYTES] or disk:SECTOR[+N], or changed $REGISTER or a field of the state; ' +
      'packet:N: from who wrote it to the wire, and on to who read it, through all machines',
    answer: why,
  },
  history: {
    isQuestion: true,
    usage: 'history WHAT [--all]',
    help: 'the writes to it, or its changes, over the run: the first and last, or all',
    answer: history,
  },
  diff: {
    isQuestion: true,
    usage: 'diff MARK [MARK]',
    help: 'fields and pages that differ between two marks',
    answer: difference,
  },
  disk: {
    isQuestion: true,
    usage: 'disk [list|history|...]',
    help: 'drives: list, history SECTOR[+N], diff MARK [MARK], crash [SEED]: what power loss here would leave',
    answer: disk,
  },
  chain: {
    isQuestion: true,
    usage: 'chain [#N]',
    help: 'what led to an event (the last before here) and what it led to in turn, as a tree',
    answer: chain,
  },
  events: { usage: 'events [N] [KIND [TEXT]]', help: 'events around here', answer: eventsAround },
  kallsyms: {
    isQuestion: true,
    usage: 'kallsyms',
    help: "names from the running Linux kernel's own table in guest memory",
    *answer(session) {
      const symbols = yield* kernelSymbols(session.view);
      if (symbols.length === 0) return 'No kallsyms of a Linux kernel lies in guest memory here.';
      session.symbols = symbolTable(symbols);
      return `${symbols.length} symbols.\n${describePlace(session)}`;
    },
  },
  help: { usage: 'help', help: 'this list', answer: () => helpText() },
};

/** Commands that a recorded run answers from where gdb stands. */
export const QUESTIONS: readonly string[] = Object.entries(PROMPT_COMMANDS).flatMap(([name, { isQuestion }]) =>
  isQuestion === true ? [name] : [],
);

const WIDTH = 26;

const helpText = (): string =>
  [
    ...Object.values(PROMPT_COMMANDS).map(({ usage, help }) => `${usage.padEnd(WIDTH)}${help}`),
    ...viewsHelp(WIDTH),
    `${'symbols FILE [OFFSET]'.padEnd(WIDTH)}names from an ELF file or a System.map`,
    `${'quit'.padEnd(WIDTH)}leave; nothing recorded has changed`,
  ].join('\n');
