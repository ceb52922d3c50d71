import { Problem, shortly } from '../base/problem.ts';
import type { Seq, Tick } from '../base/units.ts';
import type { Stamped } from '../events/stamped.ts';
import type { Mark } from './timeline.ts';
import { filterOf, isUnknownKind, matcher } from './export/event-filter.ts';
import { printedBy, readPrintPattern } from './export/print-pattern.ts';

/** The furthest mark of a recorded run: just after its last event. */
export function endOf(events: readonly Stamped[]): Mark {
  const last = events[events.length - 1];
  return last === undefined ? { seq: 0, tick: 0 } : afterEvent(last);
}

/** Just after an event was raised. */
export const afterEvent = ({ seq, tick }: Stamped): Mark => ({ seq: seq + 1, tick });

/**
 * The mark somebody means: `start`, `end`, a tick (`1200`), an event (`#57`), a share of the run (`25%`), some ticks
 * on or back (`+10`, `-10`), where something was first printed (`print "login:"`), or the first event of a kind whose
 * text holds the rest (`kvm_exit CPUID`) and of which a condition holds (`kvm_pio if port == 0x3f8`).
 */
export function markOf(text: string, events: readonly Stamped[], now: Mark): Mark | number {
  const end = endOf(events);
  const words = text.trim();
  if (words === 'start') return 0;
  if (words === 'end') return end;
  const printed = /^print\b\s*(.*)$/s.exec(words)?.[1];
  if (printed !== undefined) return firstPrinted(printed, events);
  const number = /^(#|\+|-)?(\d[\d_]*)(\.\d+)?(%)?$/.exec(words);
  if (number === null) return firstEvent(words, events);
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

function firstPrinted(words: string, events: readonly Stamped[]): Mark {
  const { pattern, rest } = readPrintPattern(words);
  if (rest !== '') throw new Problem(`What follows the pattern cannot be read: ${shortly(rest)}`);
  const [first] = printedBy(events, pattern);
  if (first === undefined) throw new Problem(`Nowhere in the run is it printed: ${shortly(words)}`);
  return { seq: first.seq + 1, tick: first.tick };
}

function firstEvent(text: string, events: readonly Stamped[]): Mark {
  const [kind = ''] = text.split(/\s+/);
  if (kind !== 'if' && isUnknownKind(kind)) {
    throw new Problem(`${shortly(kind)} is neither a place nor a kind of event: see \`help\`.`);
  }
  const found = nextEvent(events, 0, matcher(filterOf(text)));
  if (found === undefined) throw new Problem(`No event of the run is ${text}.`);
  return afterEvent(found);
}

/** The first event from `seq` on that is wanted. */
export function nextEvent(
  events: readonly Stamped[],
  seq: Seq,
  isWanted: (stamped: Stamped) => boolean,
): Stamped | undefined {
  const first = events[0]?.seq ?? 0;
  for (let at = Math.max(0, seq - first); at < events.length; at += 1) {
    const stamped = events[at] as Stamped;
    if (isWanted(stamped)) return stamped;
  }
  return undefined;
}

/** The last event before `seq` that is wanted. */
export function previousEvent(
  events: readonly Stamped[],
  seq: Seq,
  isWanted: (stamped: Stamped) => boolean,
): Stamped | undefined {
  const first = events[0]?.seq ?? 0;
  for (let at = Math.min(events.length, seq - first) - 1; at >= 0; at -= 1) {
    const stamped = events[at] as Stamped;
    if (isWanted(stamped)) return stamped;
  }
  return undefined;
}
