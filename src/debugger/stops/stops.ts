import { orNearest } from '../../base/nearest.ts';
import { Problem } from '../../base/problem.ts';
import type { Seq } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT_NAMES } from '../../x86/exit-reasons.ts';
import { type EventKind, type EventOf, VOCABULARY } from '../../events/vocabulary.ts';
import { msrNamed } from '../../events/named-numbers.ts';
import { filterOf, matcher, wantedKinds } from '../../replay/export/event-filter.ts';
import { PRINTING } from '../../replay/export/console-text.ts';
import { type PrintPattern, readPrintPattern } from '../../replay/export/print-pattern.ts';
import { fieldsOf } from '../../replay/expression/event-scope.ts';
import { type Expression, type Names, parseExpression } from '../../replay/expression/expression.ts';
import { registerReader } from '../look/named-registers.ts';
import { namesFor } from '../look/vantage.ts';

/** Whether reads, writes or both are meant. */
export type AccessKind = 'read' | 'write' | 'access';

/** Something to stop at, in either direction. A condition is asked where it happens. */
export type Stop = (
  | StopAtMemory
  /** The value of a register of one processor changes. */
  | { readonly what: 'register'; readonly name: string; readonly vcpu: number }
  /** RDMSR or WRMSR of one MSR, whether it exits or not. */
  | { readonly what: 'msr'; readonly index: number; readonly on: AccessKind }
  /** An event that has happened. */
  | {
      readonly what: 'event';
      readonly isMeant: (stamped: Stamped) => boolean;
      /** What is to be known of the run before anything is meant. */
      readonly prepare?: () => Work<void>;
    }
) & {
  /** How a person says it. */
  readonly said: string;
  readonly condition?: Expression | undefined;
  /** It is forgotten once it was met. */
  readonly isOnce?: boolean;
};

/** Before an instruction, or after one that touched data: linear addresses, or guest-physical ones. */
export type StopAtMemory = {
  readonly space: 'linear' | 'physical';
  readonly address: bigint;
  /** Only while CR3 points to this page; absent: in any address space. */
  readonly cr3?: bigint | undefined;
} & ({ readonly what: 'execute' } | { readonly what: 'access'; readonly length: number; readonly on: AccessKind });

/** What a stop's words mean in a run. */
export interface StopWords {
  readonly vcpu: number;
  /** `evaluate` of a session. */
  evaluate(text: string): bigint;
  hasSymbol(name: string): boolean;
  /** Numbers of the events that complete what is waited for. */
  printed(pattern: PrintPattern): Work<ReadonlySet<Seq>>;
}

const LONGEST = 1 << 20;
const LONGEST_WORDS = 2000;
/** Longest range of memory whose bytes are a number. */
const WORD = 8;

/**
 * `break` of the prompt: an address, `event`, `exit`, `packet`, `port`, `msr` or `print`, and perhaps `cr3 VALUE` and
 * `if CONDITION`.
 */
export function parseBreak(words: string, given: StopWords): Stop {
  checkLength(words);
  const said = `break ${words}`;
  const printed = /^print\b\s*(.*)$/s.exec(words)?.[1];
  if (printed !== undefined) return { ...atPrinted(printed, given), said };
  const { text, asked } = withoutCondition(words);
  if (text === '') throw new Problem('Say where: `break ADDR`, or `break event|exit|packet|port|msr|print ...`.');
  const special = /^(event|exit|packet|port|msr)(?:\s+(\S.*))?$/.exec(eventsNamed(text, given) ?? text);
  if (special !== null) {
    const { stop, kinds } = SPECIAL[special[1] as string]!(special[2] ?? '', given);
    return { ...stop, said, condition: conditionOf(asked, given, { fields: fieldsOf(kinds) }) };
  }
  const { rest, cr3 } = withoutSpace(text, given);
  return { what: 'execute', ...placed(rest, given), cr3, said, condition: conditionOf(asked, given) };
}

/** `kvm_exit TEXT` is `event kvm_exit TEXT`, and `virtio_blk` those of its kinds, where no symbol is called so. */
function eventsNamed(text: string, { hasSymbol }: StopWords): string | undefined {
  const [name = ''] = text.split(/\s/);
  if (!/^[a-z][\w:]*$/.test(name) || hasSymbol(name)) return undefined;
  const kinds = Object.keys(VOCABULARY);
  if (kinds.includes(name)) return `event ${text}`;
  const isFamily = kinds.some((kind) => kind.startsWith(`${name}_`));
  return isFamily ? `event ${name}_*${text.slice(name.length)}` : undefined;
}

/** `watch` of the prompt: `ADDR[/BYTES] [read|write|access]` or `$register`, and perhaps a condition. */
export function parseWatch(words: string, given: StopWords): Stop {
  checkLength(words);
  const { text, asked } = withoutCondition(words);
  const said = `watch ${words}`;
  const register = /^\$(\w+)$/.exec(text)?.[1]?.toLowerCase();
  if (register !== undefined) {
    registerReader(register);
    const condition = conditionOf(asked, given, { changes: true });
    return { what: 'register', name: register, vcpu: given.vcpu, said, condition };
  }
  const { rest, cr3 } = withoutSpace(text, given);
  const match = /^(.*?)(?:\/(\d+))?(?:\s+(read|write|access))?$/.exec(rest) as RegExpExecArray;
  if (match[1] === '') throw new Problem('Say what: `watch ADDR[/BYTES] [read|access]`, or `watch $REGISTER`.');
  const length = Number(match[2] ?? WORD);
  if (length < 1 || length > LONGEST) throw new Problem(`${length} is not a length from 1 to ${LONGEST}.`);
  const on = (match[3] ?? 'write') as AccessKind;
  const condition = conditionOf(asked, given, { changes: length <= WORD });
  return { what: 'access', ...placed(match[1] as string, given), length, on, cr3, said, condition };
}

function checkLength(words: string): void {
  if (words.length > LONGEST_WORDS) throw new Problem(`A stop is said in at most ${LONGEST_WORDS} characters.`);
}

/** `break print ...`: at the event by which the guest has printed it. */
function atPrinted(words: string, given: StopWords): Unsaid<Stop> & { readonly condition: Expression | undefined } {
  const { pattern, rest } = readPrintPattern(words);
  const { text, asked } = withoutCondition(rest);
  if (text !== '') throw new Problem(`What follows the pattern cannot be read: ${text}`);
  const condition = conditionOf(asked, given, { fields: fieldsOf(PRINTING) });
  let numbers: ReadonlySet<Seq> | undefined;
  return {
    what: 'event',
    isMeant: ({ seq }) => numbers?.has(seq) === true,
    *prepare() {
      numbers ??= yield* given.printed(pattern);
    },
    condition,
  };
}

function conditionOf(asked: string | undefined, given: StopWords, more: Partial<Names> = {}): Expression | undefined {
  return asked === undefined ? undefined : parseExpression(asked, { ...namesFor(given.hasSymbol), ...more });
}

function withoutCondition(words: string): { readonly text: string; readonly asked: string | undefined } {
  const match = /^(.*?)\s*\bif\b\s*(.*)$/.exec(words);
  return match === null
    ? { text: words.trim(), asked: undefined }
    : { text: (match[1] as string).trim(), asked: match[2] as string };
}

function withoutSpace(text: string, given: StopWords): { readonly rest: string; readonly cr3: bigint | undefined } {
  const match = /^(.*?)\s+cr3\s+(\S+)$/.exec(text);
  if (match === null) return { rest: text, cr3: undefined };
  return { rest: match[1] as string, cr3: given.evaluate(match[2] as string) };
}

function placed(text: string, given: StopWords): { readonly space: 'linear' | 'physical'; readonly address: bigint } {
  const physical = /^phys:\s*(.*)$/.exec(text);
  if (physical === null) return { space: 'linear', address: given.evaluate(text) };
  return { space: 'physical', address: given.evaluate(physical[1] as string) };
}

type Unsaid<S> = S extends Stop ? Omit<S, 'said' | 'condition'> : never;

/** A stop, and the kinds of events that it may be met at. */
interface Special {
  readonly stop: Unsaid<Stop>;
  readonly kinds: Iterable<string>;
}

/** A stop at events of one kind. `isMeant` narrows them. */
const atEvents = <K extends EventKind>(kind: K, isMeant: (event: EventOf<K>) => boolean): Special => ({
  stop: { what: 'event', isMeant: ({ event }) => event.kind === kind && isMeant(event as EventOf<K>) },
  kinds: [kind],
});

const SPECIAL: Readonly<Record<string, (words: string, given: StopWords) => Special>> = {
  event(words) {
    const filter = filterOf(words);
    return { stop: { what: 'event', isMeant: matcher(filter) }, kinds: wantedKinds(filter) };
  },
  exit(words) {
    const reason = words === '' ? undefined : reasonNamed(words);
    return atEvents('kvm_exit', (e) => reason === undefined || (e.exit_reason & EXIT_REASON.BASIC) === reason);
  },
  packet(words) {
    const client = words === '' ? undefined : words;
    return atEvents('sim:packet_sent', (e) => client === undefined || e.client === client);
  },
  port(words, given) {
    const match = /^(.*?)(?:\/(\d+))?(?:\s+(in|out))?$/.exec(words) as RegExpExecArray;
    const first = Number(given.evaluate(match[1] as string));
    const last = first + Number(match[2] ?? 1) - 1;
    if (first > 0xffff || last > 0xffff || last < first) throw new Problem(`There is no port ${words}: 0 to 0xffff.`);
    const rw = match[3] === undefined ? undefined : match[3] === 'out' ? 1 : 0;
    return atEvents('kvm_pio', (e) => e.port <= last && e.port + e.size > first && (rw === undefined || rw === e.rw));
  },
  msr(words, given) {
    const match = /^(.*?)(?:\s+(read|write|access))?$/.exec(words) as RegExpExecArray;
    const name = match[1] as string;
    const index = BigInt(msrNamed(name) ?? given.evaluate(name));
    if (index > 0xffff_ffffn) throw new Problem(`There is no MSR ${words}: an MSR has a number of 32 bits.`);
    const stop = { what: 'msr', index: Number(index), on: (match[2] ?? 'access') as AccessKind } as const;
    return { stop, kinds: ['kvm_msr'] };
  },
};

function reasonNamed(words: string): number {
  const name = words.trim().toUpperCase();
  const found = Object.entries(EXIT_NAMES).find(([number, reason]) => reason === name || number === name);
  if (found !== undefined) return Number(found[0]);
  throw new Problem(`No exit reason is named ${words}${orNearest(words, Object.values(EXIT_NAMES))}`);
}

/** Whether an event is what a stop waits for, its condition aside. */
export function isMeantBy(stop: Stop, stamped: Stamped): boolean {
  const { event } = stamped;
  if (stop.what === 'event') return stop.isMeant(stamped);
  if (stop.what !== 'msr' || event.kind !== 'kvm_msr' || event.ecx !== stop.index) return false;
  return stop.on === 'access' || (stop.on === 'write') === (event.write !== 0);
}

/** What a word after `break` can become. */
export function breakWords(words: readonly string[], last: string): readonly string[] | undefined {
  const names =
    words.length === 2
      ? ['event', 'exit', 'packet', 'port', 'msr', 'print', 'phys:']
      : words.length === 3 && words[1] === 'event'
        ? Object.keys(VOCABULARY)
        : words.length === 3 && words[1] === 'exit'
          ? Object.values(EXIT_NAMES)
          : [];
  const found = names.filter((name) => name.startsWith(last));
  return found.length === 0 ? undefined : found;
}
