import type { Seq, Tick } from '../base/units.ts';
import { sourceName, type Stamped, USER } from '../events/stamped.ts';
import { describeStamped, differingField, fieldOf, type Ignored } from './divergence.ts';

/** How two traces part: at which event of each, and in what. */
export interface TraceDifference {
  /** Who raised the events: histories of one source are compared with each other, wherever they lie in the whole. */
  readonly source: number;
  /** `event.a0`, `tick`, `event.kind`; `only in A`, `only in B` when one side has events the other lacks. */
  readonly field: string;
  readonly a: Stamped | undefined;
  readonly b: Stamped | undefined;
  /** The events of that source before, which agree. */
  readonly before: readonly Stamped[];
  /** Events that one side has and the other lacks, when they meet again after those. */
  readonly extra: readonly Stamped[];
  /** What led to each, nearest first. */
  readonly causesOfA: readonly Stamped[];
  readonly causesOfB: readonly Stamped[];
  /** Events of all sources that agreed before. */
  readonly agreed: number;
}

/** Two traces' events, and what is not compared. */
export interface Compared {
  readonly a: readonly Stamped[];
  readonly b: readonly Stamped[];
  /** Fields as `kind.field`. */
  readonly ignored?: Ignored;
  /** Kinds that are passed over on both sides. */
  readonly skipped?: ReadonlySet<string>;
}

const CONTEXT = 5;
/** Events of one source one side may have more before they meet again. */
const LOOK_AHEAD = 64;
const CAUSES = 6;
const STRIDE = 1024;

/** One source's events that wait for the other side's. */
interface Queue {
  readonly a: Stamped[];
  readonly b: Stamped[];
  readonly before: Stamped[];
  parted: boolean;
}

interface Walk {
  readonly compared: Compared;
  readonly ignored: Ignored;
  readonly queues: Map<number, Queue>;
  atA: number;
  atB: number;
  agreed: number;
}

/**
 * The first difference of two runs. Each source's history (a vCPU, the main loop, timers) is compared with itself, so
 * that an event which only moved among another source's does not hide the one that made it move.
 */
export function differenceOfTraces(compared: Compared): TraceDifference | undefined {
  const walk: Walk = {
    compared,
    ignored: compared.ignored ?? new Set(),
    queues: new Map(),
    atA: 0,
    atB: 0,
    agreed: 0,
  };
  const { a, b } = compared;
  while (walk.atA < a.length || walk.atB < b.length) {
    readOn(walk);
    match(walk);
    if (![...walk.queues.values()].some(({ parted }) => parted)) continue;
    // Another source may have parted at an earlier tick not yet read on both sides.
    readOn(walk);
    match(walk);
    return earliest(walk);
  }
  for (const queue of walk.queues.values()) queue.parted ||= queue.a.length !== queue.b.length;
  return earliest(walk);
}

function readOn(walk: Walk): void {
  const { a, b } = walk.compared;
  for (let i = 0; i < STRIDE; i += 1) {
    if (walk.atA < a.length) enqueue(walk, 'a', a[walk.atA++] as Stamped);
    if (walk.atB < b.length) enqueue(walk, 'b', b[walk.atB++] as Stamped);
  }
}

function enqueue({ queues, compared }: Walk, side: 'a' | 'b', stamped: Stamped): void {
  if (compared.skipped?.has(stamped.event.kind)) return;
  let queue = queues.get(stamped.source);
  if (queue === undefined) {
    queue = { a: [], b: [], before: [], parted: false };
    queues.set(stamped.source, queue);
  }
  queue[side].push(stamped);
}

function match(walk: Walk): void {
  for (const queue of walk.queues.values()) {
    if (queue.parted) continue;
    const shared = Math.min(queue.a.length, queue.b.length);
    let at = 0;
    while (at < shared && fieldApart(queue.a[at]!, queue.b[at]!, walk.ignored) === undefined) at += 1;
    walk.agreed += at;
    queue.before.push(...queue.a.slice(Math.max(0, at - CONTEXT), at));
    queue.before.splice(0, Math.max(0, queue.before.length - CONTEXT));
    queue.a.splice(0, at);
    queue.b.splice(0, at);
    queue.parted = at < shared || isLeftAlone(walk, queue);
  }
}

/** One side has an event at a tick the other has read past without it. */
function isLeftAlone({ compared, atA, atB }: Walk, { a, b }: Queue): boolean {
  const readA = compared.a[atA - 1]?.tick ?? 0;
  const readB = compared.b[atB - 1]?.tick ?? 0;
  if (a.length === 0) return b.length > 0 && (b[0] as Stamped).tick < readA;
  return b.length === 0 && (a[0] as Stamped).tick < readB;
}

/** Sequence numbers of causes differ as soon as anybody raised one event more: they are followed, not compared. */
const fieldApart = (a: Stamped, b: Stamped, ignored: Ignored): string | undefined =>
  differingField(a, { ...b, cause: a.cause, within: a.within }, ignored);

function earliest(walk: Walk): TraceDifference | undefined {
  let first: { readonly source: number; readonly queue: Queue; readonly tick: Tick; readonly seq: Seq } | undefined;
  for (const [source, queue] of walk.queues) {
    if (!queue.parted) continue;
    const heads = [queue.a[0], queue.b[0]].filter((head): head is Stamped => head !== undefined);
    const tick = Math.min(...heads.map((head) => head.tick));
    // An input of the same moment is what made the others differ.
    const seq = source === USER ? -1 : Math.min(...heads.map((head) => head.seq));
    const isFirst = first === undefined || tick < first.tick || (tick === first.tick && seq < first.seq);
    if (isFirst) first = { source, queue, tick, seq };
  }
  return first === undefined ? undefined : explained(walk, first.source, first.queue);
}

function explained(walk: Walk, source: number, queue: Queue): TraceDifference {
  const [a] = queue.a;
  const [b] = queue.b;
  const { only, extra } = extraOf(queue, walk.ignored);
  const field = only ?? (a === undefined || b === undefined ? 'events' : fieldApart(a, b, walk.ignored));
  return {
    source,
    field: field ?? 'events',
    a,
    b,
    before: queue.before,
    extra,
    causesOfA: causesOf(walk.compared.a, a),
    causesOfB: causesOf(walk.compared.b, b),
    agreed: walk.agreed,
  };
}

/** Whether one side only has some events more, and the two meet again after them. */
function extraOf(
  { a, b }: Queue,
  ignored: Ignored,
): { readonly only: string | undefined; readonly extra: readonly Stamped[] } {
  if (a[0] === undefined && b[0] === undefined) return { only: undefined, extra: [] };
  if (a[0] === undefined) return { only: 'only in B', extra: b.slice(0, CONTEXT) };
  if (b[0] === undefined) return { only: 'only in A', extra: a.slice(0, CONTEXT) };
  for (let count = 1; count <= LOOK_AHEAD; count += 1) {
    if (a[count] !== undefined && fieldApart(a[count]!, b[0], ignored) === undefined) {
      return { only: 'only in A', extra: a.slice(0, count) };
    }
    if (b[count] !== undefined && fieldApart(a[0], b[count]!, ignored) === undefined) {
      return { only: 'only in B', extra: b.slice(0, count) };
    }
  }
  return { only: undefined, extra: [] };
}

function causesOf(events: readonly Stamped[], stamped: Stamped | undefined): Stamped[] {
  const causes: Stamped[] = [];
  const first = events[0]?.seq ?? 0;
  let seq = stamped?.cause;
  while (seq !== undefined && causes.length < CAUSES) {
    const cause = events[seq - first];
    if (cause === undefined) break;
    causes.push(cause);
    seq = cause.cause;
  }
  return causes;
}

const printable = (value: unknown): string => {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `${value.length} bytes [${[...value.subarray(0, 16)].join(' ')}]`;
  return value === undefined ? 'nothing' : String(value);
};

/** A difference as a person reads it: the sentence, the context, both events and what led to each. */
export function describeDifference(difference: TraceDifference): string {
  const { source, field, a, b, before, extra, agreed } = difference;
  const lines = [`${agreed} events agree. ${sentence(difference)}`];
  for (const stamped of before) lines.push(`    ${describeStamped(stamped)}`);
  const only = field === 'only in A' ? '-' : field === 'only in B' ? '+' : undefined;
  if (only !== undefined) {
    for (const stamped of extra) lines.push(`  ${only} ${describeStamped(stamped)}`);
  } else {
    lines.push(`  - ${a === undefined ? '(no more events)' : describeStamped(a)}`);
    lines.push(`  + ${b === undefined ? '(no more events)' : describeStamped(b)}`);
  }
  lines.push(...causeLines('A', difference.causesOfA), ...causeLines('B', difference.causesOfB));
  if (source === 0)
    lines.push('The main loop decides whose turn it is: what follows on the processors follows from it.');
  return lines.join('\n');
}

function sentence({ source, field, a, b, extra }: TraceDifference): string {
  const who = sourceName(source);
  const at = `at tick ${Math.min(a?.tick ?? Number.POSITIVE_INFINITY, b?.tick ?? Number.POSITIVE_INFINITY)}`;
  if (field.startsWith('only in')) {
    const kinds = [...new Set(extra.map(({ event }) => event.kind))].join(', ');
    return `${who} first differs ${at}: ${extra.length} event${extra.length === 1 ? '' : 's'} ${field} (${kinds}).`;
  }
  const values = `${printable(fieldOf(a, field))} in A, ${printable(fieldOf(b, field))} in B`;
  return `${who} first differs ${at}, in ${field}: ${values}.`;
}

function causeLines(side: string, causes: readonly Stamped[]): string[] {
  if (causes.length === 0) return [];
  return [`In ${side} it follows from:`, ...causes.map((cause) => `    ${describeStamped(cause)}`)];
}
