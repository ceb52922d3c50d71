import type { Tick } from '../../base/units.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';
import { textOf } from './text.ts';

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
}

/** The question a filter asks of each event. */
export function matcher(filter: EventFilter): (stamped: Stamped) => boolean {
  const wanted = wantedKinds(filter);
  const { fromTick = 0, toTick = Number.POSITIVE_INFINITY, source, containing } = filter;
  return (stamped) =>
    wanted.has(stamped.event.kind) &&
    stamped.tick >= fromTick &&
    stamped.tick <= toTick &&
    (source === undefined || sourceName(stamped.source) === source) &&
    (containing === undefined || textOf(stamped.event).includes(containing));
}

/** Patterns that name no kind of event there is. */
export function unknownKinds(patterns: readonly string[]): string[] {
  const kinds = Object.keys(VOCABULARY);
  return patterns.filter((pattern) => !kinds.some((kind) => isNamedBy(kind, pattern)));
}

function wantedKinds({ kinds, inputsOnly = false }: EventFilter): ReadonlySet<string> {
  const named = Object.entries(VOCABULARY).filter(
    ([kind, row]) =>
      (kinds === undefined || kinds.some((pattern) => isNamedBy(kind, pattern))) &&
      (!inputsOnly || row.receiver !== undefined),
  );
  return new Set(named.map(([kind]) => kind));
}

function isNamedBy(kind: string, pattern: string): boolean {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${expression}$`).test(kind);
}
