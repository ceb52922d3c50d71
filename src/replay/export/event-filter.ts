import { orNearest } from '../../base/nearest.ts';
import { Problem } from '../../base/problem.ts';
import type { Tick } from '../../base/units.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';
import { eventCondition } from '../expression/event-scope.ts';
import { briefOf } from './brief.ts';
import { textOf } from './text.ts';

const KINDS: readonly string[] = Object.keys(VOCABULARY);

/** Most characters of words that name events. */
const LONGEST = 2000;

/** Which events of a trace somebody wants to see. Absent: no limit. */
export interface EventFilter {
  /** Names with `*`, like `kvm_exit`, `kvm_*`, `sim:*`. */
  readonly kinds?: readonly string[];
  readonly fromTick?: Tick;
  readonly toTick?: Tick;
  readonly source?: string;
  /** Text the printed fields must contain. */
  readonly containing?: string;
  readonly inputsOnly?: boolean;
  /** An expression that must hold. */
  readonly condition?: string;
}

/** The question a filter asks of each event. Throws a Problem when its condition cannot be read. */
export function matcher(filter: EventFilter): (stamped: Stamped) => boolean {
  const wanted = wantedKinds(filter);
  const { fromTick = 0, toTick = Number.POSITIVE_INFINITY, source, containing } = filter;
  const condition = filter.condition === undefined ? undefined : eventCondition(filter.condition, wanted);
  return (stamped) =>
    wanted.has(stamped.event.kind) &&
    stamped.tick >= fromTick &&
    stamped.tick <= toTick &&
    (source === undefined || sourceName(stamped.source) === source) &&
    (containing === undefined || isPrinted(stamped, containing)) &&
    (condition === undefined || condition(stamped));
}

/** Whether an event's line holds a text: as the kernel prints it, or as we do. */
const isPrinted = ({ event }: Stamped, text: string): boolean =>
  textOf(event).includes(text) || briefOf(event).includes(text);

/** Whether a pattern names no kind of event there is. */
export const isUnknownKind = (pattern: string): boolean => !KINDS.some((kind) => isNamedBy(kind, pattern));

/** Throws a Problem for a pattern that names no kind of event there is. */
export function checkKinds(patterns: readonly string[]): void {
  const unknown = patterns.find(isUnknownKind);
  if (unknown !== undefined) throw new Problem(`No kind of event is named ${unknown}${orNearest(unknown, KINDS)}`);
}

/** The kinds of event a filter wants. */
export function wantedKinds({ kinds, inputsOnly = false }: EventFilter): ReadonlySet<string> {
  const named = Object.entries(VOCABULARY).filter(
    ([kind, row]) =>
      (kinds === undefined || kinds.some((pattern) => isNamedBy(kind, pattern))) &&
      (!inputsOnly || row.receiver !== undefined),
  );
  return new Set(named.map(([kind]) => kind));
}

/** Whether a pattern with `*` for anything names a kind. */
function isNamedBy(kind: string, pattern: string): boolean {
  const [first = '', ...pieces] = pattern.split('*');
  const last = pieces.pop();
  if (last === undefined) return kind === first;
  if (!kind.startsWith(first)) return false;
  let at = first.length;
  for (const piece of pieces) {
    const found = kind.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return kind.length - last.length >= at && kind.endsWith(last);
}

/** A filter from words: a kind of event with `*`, text its line must hold, and `if` with a condition. */
export function filterOf(text: string): EventFilter {
  if (text.length > LONGEST) throw new Problem(`Events are named in at most ${LONGEST} characters.`);
  const [, words = '', condition] = /^(.*?)(?:(?:^|\s+)if\s+(.*))?$/s.exec(text.trim()) ?? [];
  const [kind = '', ...rest] = words.split(/\s+/);
  const kinds = kind === '' ? ['*'] : [kind];
  checkKinds(kinds);
  return {
    kinds,
    ...(rest.length === 0 ? {} : { containing: rest.join(' ') }),
    ...(condition === undefined ? {} : { condition }),
  };
}
