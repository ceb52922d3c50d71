import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT_NAMES } from '../../x86/exit-reasons.ts';
import { type EventKind, VOCABULARY } from '../../events/vocabulary.ts';
import { matcher } from '../../replay/export/event-filter.ts';
import { type Expression, parseExpression } from '../look/expression.ts';
import { registerReader } from '../look/named-registers.ts';
import { filterOf } from '../../replay/places.ts';

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
  | { readonly what: 'event'; readonly isMeant: (stamped: Stamped) => boolean }
) & {
  /** How a person says it. */
  readonly said: string;
  readonly condition?: Expression | undefined;
};

/** Before an instruction, or after one that touched data: linear addresses, or guest-physical ones. */
export type StopAtMemory = {
  readonly space: 'linear' | 'physical';
  readonly address: bigint;
  /** Only while CR3 points to this page; absent: in any address space. */
  readonly cr3?: bigint | undefined;
} & ({ readonly what: 'execute' } | { readonly what: 'access'; readonly length: number; readonly on: AccessKind });

/** What numbers in a stop's words mean: `evaluate` of a session. */
export interface StopWords {
  readonly vcpu: number;
  evaluate(text: string): bigint;
}

const LONGEST = 1 << 20;

/** `break` of the prompt: an address, `event`, `exit`, `port` or `msr`, and perhaps `cr3 VALUE` and `if CONDITION`. */
export function parseBreak(words: string, given: StopWords): Stop {
  const { text, condition } = withoutCondition(words);
  if (text === '') throw new Problem('Say where: `break ADDR`, or `break event|exit|port|msr ...`.');
  const special = /^(event|exit|port|msr)\s+(\S.*)$/.exec(text);
  const said = `break ${words}`;
  if (special !== null) return { ...SPECIAL[special[1] as string]!(special[2] as string, given), said, condition };
  const { rest, cr3 } = withoutSpace(text, given);
  return { what: 'execute', ...placed(rest, given), cr3, said, condition };
}

/** `watch` of the prompt: `ADDR[/BYTES] [read|write|access]` or `$register`, and perhaps a condition. */
export function parseWatch(words: string, given: StopWords): Stop {
  const { text, condition } = withoutCondition(words);
  const said = `watch ${words}`;
  const register = /^\$(\w+)$/.exec(text)?.[1]?.toLowerCase();
  if (register !== undefined) {
    registerReader(register);
    return { what: 'register', name: register, vcpu: given.vcpu, said, condition };
  }
  const { rest, cr3 } = withoutSpace(text, given);
  const match = /^(.*?)(?:\/(\d+))?(?:\s+(read|write|access))?$/.exec(rest) as RegExpExecArray;
  if (match[1] === '') throw new Problem('Say what: `watch ADDR[/BYTES] [read|access]`, or `watch $REGISTER`.');
  const length = Number(match[2] ?? 8);
  if (length < 1 || length > LONGEST) throw new Problem(`${length} is not a length from 1 to ${LONGEST}.`);
  const on = (match[3] ?? 'write') as AccessKind;
  return { what: 'access', ...placed(match[1] as string, given), length, on, cr3, said, condition };
}

function withoutCondition(words: string): { readonly text: string; readonly condition: Expression | undefined } {
  const match = /^(.*?)\s*\bif\b\s*(.*)$/.exec(words);
  if (match === null) return { text: words.trim(), condition: undefined };
  return { text: (match[1] as string).trim(), condition: parseExpression(match[2] as string) };
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

type Said = 'said' | 'condition';

/** A stop at events of one kind. `isMeant` narrows them. */
const atEvents = (
  kind: EventKind,
  isMeant: (event: Stamped['event']) => boolean,
): { readonly what: 'event'; readonly isMeant: (stamped: Stamped) => boolean } => ({
  what: 'event',
  isMeant: ({ event }) => event.kind === kind && isMeant(event),
});

type Unsaid<S> = S extends Stop ? Omit<S, Said> : never;

const SPECIAL: Readonly<Record<string, (words: string, given: StopWords) => Unsaid<Stop>>> = {
  event: (words) => ({ what: 'event', isMeant: matcher(filterOf(words)) }),
  exit(words) {
    const reason = reasonNamed(words);
    return atEvents(
      'kvm_exit',
      (event) => event.kind === 'kvm_exit' && (event.exit_reason & EXIT_REASON.BASIC) === reason,
    );
  },
  port(words, given) {
    const match = /^(.*?)(?:\/(\d+))?(?:\s+(in|out))?$/.exec(words) as RegExpExecArray;
    const first = Number(given.evaluate(match[1] as string));
    const last = first + Number(match[2] ?? 1) - 1;
    if (first > 0xffff || last > 0xffff || last < first) throw new Problem(`There is no port ${words}: 0 to 0xffff.`);
    const rw = match[3] === undefined ? undefined : match[3] === 'out' ? 1 : 0;
    return atEvents(
      'kvm_pio',
      (event) =>
        event.kind === 'kvm_pio' &&
        event.port <= last &&
        event.port + event.size > first &&
        (rw === undefined || rw === event.rw),
    );
  },
  msr(words, given) {
    const match = /^(.*?)(?:\s+(read|write|access))?$/.exec(words) as RegExpExecArray;
    const index = given.evaluate(match[1] as string);
    if (index > 0xffff_ffffn) throw new Problem(`There is no MSR ${words}: an MSR has a number of 32 bits.`);
    return { what: 'msr', index: Number(index), on: (match[2] ?? 'access') as AccessKind };
  },
};

function reasonNamed(words: string): number {
  const name = words.trim().toUpperCase();
  const found = Object.entries(EXIT_NAMES).find(([number, reason]) => reason === name || number === name);
  if (found === undefined) throw new Problem(`No exit reason is named ${words}: see \`retrovisor stat\`.`);
  return Number(found[0]);
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
      ? ['event', 'exit', 'port', 'msr', 'phys:']
      : words.length === 3 && words[1] === 'event'
        ? Object.keys(VOCABULARY)
        : words.length === 3 && words[1] === 'exit'
          ? Object.values(EXIT_NAMES)
          : [];
  const found = names.filter((name) => name.startsWith(last));
  return found.length === 0 ? undefined : found;
}
