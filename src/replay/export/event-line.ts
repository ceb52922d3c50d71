import { onOneLine } from '../../base/printable.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';
import { briefOf } from './brief.ts';

/** How wide the numbers of a run's events are, so that lines stand below each other. */
export interface LineWidths {
  readonly seq: number;
  readonly tick: number;
}

const WIDEST_SOURCE = 6;
const WIDEST_INDENTED = 9;
/** Levels that are indented; what stands deeper stands below the last of them. */
const DEEPEST = 30;

/** For a run of so many events. */
export const widthsFor = (events: number): LineWidths => ({ seq: `#${events}`.length, tick: 10 });

/**
 * One event: `#` and its number, its tick, who raised it, its kind and its text. `at #N` and `at TICK` lead there.
 * `depth`: how far it is indented.
 */
export function eventLine({ seq, tick, source, event }: Stamped, widths: LineWidths, depth?: number): string {
  const place = `${`#${seq}`.padStart(widths.seq)} ${String(tick).padStart(widths.tick)}`;
  // Indented lines stand below each other whoever raised them.
  const who = sourceName(source).padEnd(depth === undefined ? WIDEST_SOURCE : WIDEST_INDENTED);
  return onOneLine(
    `${place} ${who} ${'  '.repeat(Math.min(depth ?? 0, DEEPEST))}${event.kind}: ${briefOf(event)}`.trimEnd(),
  );
}

/** A line of a terminal so many characters wide; undefined: as long as it is. */
export const fitted = (line: string, width: number | undefined): string =>
  width === undefined || line.length <= width ? line : `${line.slice(0, Math.max(0, width - 3))}...`;
