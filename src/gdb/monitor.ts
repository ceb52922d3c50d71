import { own } from '../base/own.ts';
import { Problem } from '../base/problem.ts';
import { type PathFor, writeAllowed } from './allowed-folder.ts';
import type { Stamped } from '../events/stamped.ts';
import { digestOf } from '../base/digest.ts';
import type { Gva, Seq, Tick } from '../base/units.ts';
import type { Registers } from '../x86/guest.ts';
import { describeStamped } from '../replay/divergence.ts';
import { type GuestView, linearRipOf } from '../machine/guest-view.ts';
import { QUESTIONS } from '../debugger/prompt/commands.ts';
import type { SymbolTable } from '../debugger/symbols/symbols.ts';
import { answerView, viewsHelp } from '../debugger/views/asked.ts';
import { kernelFile } from '../debugger/symbols/kernel-file.ts';
import type { Moment } from './registers.ts';
import type { Forking } from '../debugger/forks/forks.ts';
import type { Travels } from '../debugger/travel/traveller.ts';

/** What `monitor` commands look at. */
export interface MonitorView {
  readonly traveller: Travels;
  readonly vcpus: number;
  event(seq: Seq): Stamped | undefined;
  /** Number of the event after the last. */
  endSeq(): Seq;
  /** Tick of the last event. */
  lastTick(): Tick;
  /** The run that leaves the recorded one where something was changed. */
  readonly fork: Forking;
  view(): GuestView;
  /** Names of addresses, as far as `monitor kallsyms` has found them. */
  symbols(): SymbolTable;
  /** Answer a question of the debugger's prompt from here; undefined when it is none. */
  ask(line: string, vcpu: number): Sentences | undefined;
  registers(vcpu: number): Registers;
  readMemory(vcpu: number, address: Gva, length: number): Uint8Array | undefined;
  /** KVM_MP_STATE_* of a vCPU. */
  activity(vcpu: number): number;
  moment(): Moment;
  /** Where a file goes that a command names. */
  readonly pathFor: PathFor;
  /** A sentence about how the replay went so far, when it went wrong. */
  problem(): string | undefined;
}

/** Lines of an answer, in pieces so that somebody can interrupt. `undefined`: nothing to say yet. */
export type Sentences = Generator<void, string, void>;

interface Command {
  readonly usage: string;
  readonly help: string;
  readonly answer: (view: MonitorView, vcpu: number, words: readonly string[]) => Sentences;
}

const EVENTS_SHOWN = 10;
const MOST_EVENTS_SHOWN = 10_000;
const MOVED = 'gdb still shows where it was: `maintenance flush register-cache` makes it look again.';

const now = (answer: (view: MonitorView, vcpu: number, words: readonly string[]) => string): Command['answer'] =>
  // biome-ignore lint/correctness/useYield: an answer that is known at once comes in one piece.
  function* (view, vcpu, words) {
    try {
      return answer(view, vcpu, words);
    } catch (problem) {
      if (problem instanceof Problem) return problem.message;
      throw problem;
    }
  };

/** To add a command, add its row. */
const COMMANDS: Readonly<Record<string, Command>> = {
  when: { usage: 'when', help: 'where the run stands: event, instruction, virtual time', answer: now(describeWhen) },
  seek: {
    usage: 'seek TICK | N% | eEVENT | begin | end',
    help: 'stand somewhere else',
    answer: seek,
  },
  events: { usage: 'events [N]', help: 'the last N events before here', answer: now(describeEvents) },
  'last-write': {
    usage: 'last-write ADDRESS [LENGTH]',
    help: 'the instruction that last wrote there; the run stays where it is',
    answer: lastWrite,
  },
  fork: {
    usage: 'fork [save FILE | discard]',
    help: 'whether this still is the recorded run; keep the changed one as a trace, or go back',
    answer: now(forked),
  },
  symbols: {
    usage: 'symbols FILE',
    help: "write the running Linux kernel's own names to a file: symbol-file FILE",
    answer: now(writeSymbols),
  },
  digest: { usage: 'digest', help: 'a digest of the whole machine and of its memory here', answer: now(digest) },
  check: { usage: 'check', help: 'whether what was run again agrees with the trace', answer: now(check) },
  help: { usage: 'help', help: 'this list', answer: now(helpText) },
};

/** Answer what was typed after `monitor`. */
export function describeMonitor(view: MonitorView, vcpu: number, line: string): Sentences {
  const asked = line.trim();
  const [name = '', ...words] = asked.split(/\s+/);
  const command = own(COMMANDS, name === '' ? 'help' : name);
  if (command !== undefined) return command.answer(view, vcpu, words);
  const unknown = `Unknown command '${name}'. \`monitor help\` lists them.`;
  return view.ask(asked, vcpu) ?? now(() => viewText(view, vcpu, asked) ?? unknown)(view, vcpu, words);
}

const viewText = (view: MonitorView, vcpu: number, line: string): string | undefined =>
  answerView({ view: view.view(), vcpu, symbols: view.symbols() }, line);

const WIDTH = 40;

function helpText(): string {
  const own = Object.values(COMMANDS).map(({ usage, help }) => `${usage.padEnd(WIDTH)}${help}`);
  return [...own, ...viewsHelp(WIDTH), `and as at the prompt of \`retrovisor debug\`: ${QUESTIONS.join(', ')}`].join(
    '\n',
  );
}

function describeWhen(view: MonitorView): string {
  const { seq, tick, ns } = view.moment();
  const share = ((100 * tick) / Math.max(1, view.lastTick())).toFixed(2);
  const { vcpu, isAtEnd } = view.traveller;
  const at = isAtEnd ? ', the end of the recording' : '';
  return `event ${seq}, instruction ${tick} of ${view.lastTick()} (${share} %), ${ns} ns, vCPU ${vcpu}${at}`;
}

function describeEvents(view: MonitorView, _vcpu: number, words: readonly string[]): string {
  const count = words[0] === undefined ? EVENTS_SHOWN : Number(words[0]);
  if (!Number.isInteger(count) || count < 1 || count > MOST_EVENTS_SHOWN)
    return `'${words[0]}' is not a number of events, 1 to ${MOST_EVENTS_SHOWN}.`;
  const end = Math.min(view.moment().seq, view.endSeq());
  const lines: string[] = [];
  for (let at = Math.max(0, end - count); at < end; at += 1) {
    const stamped = view.event(at);
    if (stamped !== undefined) lines.push(describeStamped(stamped));
  }
  return lines.length === 0 ? 'Nothing has happened yet.' : lines.join('\n');
}

function writeSymbols(view: MonitorView, vcpu: number, [name]: readonly string[]): string {
  if (name === undefined) return 'Say where to: `monitor symbols FILE`.';
  const path = view.pathFor(name);
  const file = kernelFile(view.view(), vcpu, () => false);
  if (file === undefined) return "No kernel's kallsyms is in memory here: Linux 6.1 to 6.3 are known.";
  writeAllowed(path, file.bytes);
  const unwind = file.unwinds ? '' : ' Its ORC tables are not mapped here: backtraces are guesses.';
  return `${path}: ${file.count} symbols. \`symbol-file ${path}\` reads them.${unwind}`;
}

function forked(view: MonitorView, _vcpu: number, [verb, ...rest]: readonly string[]): string {
  const { fork } = view;
  if (verb === undefined) return fork.describe();
  const name = rest.join(' ');
  if (verb === 'save') return fork.save(name === '' ? '' : view.pathFor(name));
  if (verb === 'discard') return `${fork.discard()}\n${MOVED}`;
  return `\`monitor fork ${verb}\` is not known: it is fork, fork save FILE or fork discard.`;
}

function digest({ traveller: { machine } }: MonitorView): string {
  return `state ${digestOf(machine.state)} memory ${machine.pages.digest()}`;
}

function check(view: MonitorView): string {
  return view.problem() ?? 'Everything run again so far agrees with the trace.';
}

function* seek(view: MonitorView, _vcpu: number, words: readonly string[]): Sentences {
  const place = placeOf(view, words[0] ?? '');
  if (typeof place === 'string') return place;
  yield* view.traveller.go(place);
  return `${describeWhen(view)}\n${MOVED}`;
}

/** The tick somebody means, or what is wrong with it. */
function placeOf(view: MonitorView, text: string): number | string {
  const lastTick = view.lastTick();
  const events = view.endSeq();
  if (text === 'begin') return 0;
  if (text === 'end') return lastTick + 1;
  // An event is printed as `#123`, and typed so or as `e123`.
  const [, mark, digits, unit] = /^([e#]?)(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const isWhole = Number.isInteger(Number(digits));
  if (digits === undefined || (unit === '%' ? mark !== '' : !isWhole)) {
    return `'${text}' is no place: give an instruction, a percentage (50%), an event (e1234), begin or end.`;
  }
  const value = Number(digits);
  if (unit === '%') return value <= 100 ? Math.floor((lastTick * value) / 100) : `The run has 100 %, not ${text}.`;
  if (mark !== '') return view.event(value)?.tick ?? `The run has ${events} events, so there is no event ${value}.`;
  return value <= lastTick ? value : `The run has ${lastTick} instructions: ${text} lies beyond its end.`;
}

function* lastWrite(view: MonitorView, vcpu: number, words: readonly string[]): Sentences {
  const [addressText, lengthText = '8'] = words;
  const length = Number(lengthText);
  if (
    addressText === undefined ||
    !/^(0x[0-9a-f]{1,16}|\d+)$/i.test(addressText) ||
    !(Number.isInteger(length) && length >= 1 && length <= 4096)
  ) {
    return 'Give an address and a length: last-write 0x402000 8.';
  }
  const { traveller } = view;
  const from = view.moment().tick;
  const address = BigInt.asUintN(64, BigInt(addressText));
  const shown = (): string => hexadecimal(view.readMemory(vcpu, address, length));
  const after = shown();
  const watchpoints = [{ address, length, on: 'write' }] as const;
  const stop = yield* traveller.runBack({ breakpoints: [], watchpoints, isWanted: () => true });
  const { seq, tick } = view.moment();
  const pc = linearRipOf(view.registers(stop.vcpu));
  const before = shown();
  yield* traveller.go(from);
  if (stop.why !== 'watch') return `No instruction wrote ${length} bytes at ${addressText} before here.`;
  const place = `instruction ${tick}, event ${seq}, vCPU ${stop.vcpu}, rip 0x${pc.toString(16)}`;
  return `${addressText} was last written at ${place}: ${before} became ${after}`;
}

function hexadecimal(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return 'unmapped';
  return `0x${bytes.reduceRight((text, byte) => text + byte.toString(16).padStart(2, '0'), '')}`;
}
