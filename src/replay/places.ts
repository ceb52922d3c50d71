import { Problem, shortly } from '../base/problem.ts';
import type { Ns, Seq, Tick } from '../base/units.ts';
import { timeAsked } from '../base/virtual-time.ts';
import type { Work } from '../base/work.ts';
import type { Pace } from '../events/costs.ts';
import type { Stamped } from '../events/stamped.ts';
import type { Mark } from './timeline.ts';
import { filterOf, isUnknownKind, matcher } from './export/event-filter.ts';
import { eventClock } from './export/report.ts';
import { printedBy, readPrintPattern } from './export/print-pattern.ts';

/** The furthest mark of a recorded run: just after its last event. */
export function endOf(events: readonly Stamped[]): Mark {
  const last = events[events.length - 1];
  return last === undefined ? { seq: 0, tick: 0 } : afterEvent(last);
}

/** Just after an event was raised. */
export const afterEvent = ({ seq, tick }: Stamped): Mark => ({ seq: seq + 1, tick });

/** A run in which places are looked for. */
export interface PlacedRun {
  readonly events: readonly Stamped[];
  readonly pace: Pace;
}

const NUMBER = /^(#|\+|-|tick\s+)?(\d[\d_]*)(\.\d+)?(%)?$/;

/** `@` and a virtual time: by the clock of all machines of a run. */
const MOMENT = /^@(.*)$/;

const PRINT = /^print\b\s*(.*)$/s;

/** Whether `markOf` can read it. */
export function isMark(text: string): boolean {
  const words = text.trim();
  const [kind = ''] = words.split(/\s+/);
  return (
    /^(start|end|if\s.*)$/s.test(words) ||
    NUMBER.test(words) ||
    MOMENT.test(words) ||
    PRINT.test(words) ||
    !isUnknownKind(kind)
  );
}

/**
 * The mark somebody means: `start`, `end`, a tick (`1200`, `tick 1200`), a virtual time (`@12.5ms`), an event (`#57`),
 * a share of the run (`25%`), some ticks on or back (`+10`, `-10`), where something was first printed
 * (`print "login:"`), or the first event of a kind whose text holds the rest (`kvm_exit CPUID`) and of which a
 * condition holds (`kvm_pio if port == 0x3f8`).
 */
export function* markOf(text: string, run: PlacedRun, now: Mark): Work<Mark | number> {
  const { events } = run;
  const end = endOf(events);
  const words = text.trim();
  if (words === 'start') return 0;
  if (words === 'end') return end;
  const printed = PRINT.exec(words)?.[1];
  if (printed !== undefined) return yield* firstPrinted(printed, events);
  const moment = MOMENT.exec(words)?.[1];
  if (moment !== undefined) return yield* momentAsked(moment, run);
  const number = NUMBER.exec(words);
  if (number === null) return yield* firstEvent(words, events);
  const [, sign, digits, fraction, percent] = number;
  const value = Number((digits as string).replaceAll('_', ''));
  if (percent !== undefined) return within(Math.floor((end.tick * Number(`${value}${fraction ?? ''}`)) / 100), end);
  if (sign === '#') {
    const stamped = events[value - (events[0]?.seq ?? 0)];
    if (stamped === undefined) throw new Problem(`There is no event ${value}: the last is ${end.seq - 1}.`);
    return afterEvent(stamped);
  }
  if (sign === '+') return within(now.tick + value, end);
  if (sign === '-') return Math.max(0, now.tick - value);
  return within(value, end);
}

function within(tick: Tick, end: Mark): number {
  if (tick <= end.tick) return tick;
  throw new Problem(`Tick ${tick} lies outside the run: it ends at ${end.tick}.`);
}

function* momentAsked(text: string, run: PlacedRun): Work<Mark | number> {
  const ns = timeAsked(text);
  const found = yield* new Moments(run).standingAt(ns);
  if (found.endNs === undefined) return found.mark;
  throw new Problem(`@${text} lies outside the run: it ends at @${found.endNs}ns.`);
}

/** Where a run stood at some moment; at its end, and when that was, if it was over by then. */
export interface Standing {
  readonly mark: Mark | number;
  readonly endNs: Ns | undefined;
}

/** When each event of a run was, for whoever looks for places by virtual time again and again. */
export class Moments {
  private readonly run: PlacedRun;
  private readonly clock;
  /** By index, as far as they were asked for. */
  private readonly times: Ns[] = [];

  constructor(run: PlacedRun) {
    this.run = run;
    this.clock = eventClock(run.pace);
  }

  /** Where the run stood at a virtual time: all that happened by then is over, and nothing that came later. */
  *standingAt(ns: Ns): Work<Standing> {
    const { events, pace } = this.run;
    yield* this.readBeyond(ns);
    const next = this.firstAfter(ns);
    const before = events[next - 1];
    const then = this.times[next - 1] ?? 0;
    if (next === events.length) return { mark: endOf(events), endNs: then === ns ? undefined : then };
    const { seq, tick: latest } = events[next] as Stamped;
    const from = before?.tick ?? 0;
    const tick = from + Math.floor((ns - then) / pace.nsPerTick);
    const isBetween = tick > from && tick < latest;
    return { mark: isBetween ? tick : { seq, tick: Math.min(tick, latest) }, endNs: undefined };
  }

  private *readBeyond(ns: Ns): Work<void> {
    const { events } = this.run;
    const { times } = this;
    while (times.length < events.length && (times.at(-1) ?? 0) <= ns) {
      times.push(this.clock.ns(events[times.length] as Stamped));
      if (times.length % PIECE === 0) yield times.length / events.length;
    }
  }

  /** Index of the first event that was later. */
  private firstAfter(ns: Ns): number {
    const { times } = this;
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (times[middle]! <= ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function* firstPrinted(words: string, events: readonly Stamped[]): Work<Mark> {
  const { pattern, rest } = readPrintPattern(words);
  if (rest !== '') throw new Problem(`What follows the pattern cannot be read: ${shortly(rest)}`);
  const [first] = yield* printedBy(events, pattern);
  if (first === undefined) throw new Problem(`Nowhere in the run is it printed: ${shortly(words)}`);
  return { seq: first.seq + 1, tick: first.tick };
}

function* firstEvent(text: string, events: readonly Stamped[]): Work<Mark> {
  const [kind = ''] = text.split(/\s+/);
  if (kind !== 'if' && isUnknownKind(kind)) {
    throw new Problem(`${shortly(kind)} is neither a place nor a kind of event: see \`help\`.`);
  }
  const found = yield* nextEvent(events, 0, matcher(filterOf(text)));
  if (found === undefined) throw new Problem(`No event of the run is ${text}.`);
  return afterEvent(found);
}

/** Events looked at between two looks at whether somebody wants to stop. */
const PIECE = 1 << 10;

/** Looks for an event from a place on, or before it. */
export type EventSearch = (
  events: readonly Stamped[],
  seq: Seq,
  isWanted: (stamped: Stamped) => boolean,
) => Work<Stamped | undefined>;

/** The first event from `seq` on that is wanted. */
export const nextEvent: EventSearch = (events, seq, isWanted) =>
  firstOf(events, indexOf(events, seq), events.length, isWanted);

/** The last event before `seq` that is wanted. */
export const previousEvent: EventSearch = (events, seq, isWanted) =>
  firstOf(events, indexOf(events, seq) - 1, -1, isWanted);

const indexOf = (events: readonly Stamped[], seq: Seq): number =>
  Math.min(events.length, Math.max(0, seq - (events[0]?.seq ?? 0)));

/** From one index to before another, upwards or downwards. */
function* firstOf(
  events: readonly Stamped[],
  from: number,
  to: number,
  isWanted: (stamped: Stamped) => boolean,
): Work<Stamped | undefined> {
  const by = Math.sign(to - from);
  for (let at = from; (to - at) * by > 0; at += by) {
    const stamped = events[at] as Stamped;
    if (isWanted(stamped)) return stamped;
    if (at % PIECE === 0) yield (at - from) / (to - from);
  }
  return undefined;
}
