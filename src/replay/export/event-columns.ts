import { orNearest } from '../../base/nearest.ts';
import { own } from '../../base/own.ts';
import { Problem } from '../../base/problem.ts';
import type { Ns } from '../../base/units.ts';
import { onOneLine } from '../../base/printable.ts';
import { namesOf } from '../../events/named-numbers.ts';
import { sourceName, type Stamped, vcpuOf } from '../../events/stamped.ts';
import { fieldsOf } from '../expression/event-scope.ts';
import { briefOf } from './brief.ts';
import { plainField } from './event-json.ts';

/** One column of a table of events. */
export interface EventColumn {
  readonly name: string;
  /** What an event has there; undefined: nothing. */
  value(stamped: Stamped, ns: Ns): unknown;
  /** The same for a person. */
  shown(stamped: Stamped, ns: Ns): string;
  readonly width: number;
}

type Read = (stamped: Stamped, ns: Ns) => unknown;

/** What every event has. `event.FIELD` is a field that is called like one of these. */
const OWN: Readonly<Record<string, { readonly width: number; readonly read: Read }>> = {
  seq: { width: 8, read: ({ seq }) => seq },
  tick: { width: 10, read: ({ tick }) => tick },
  ns: { width: 14, read: (_, ns) => ns },
  source: { width: 9, read: ({ source }) => sourceName(source) },
  vcpu: { width: 4, read: ({ source }) => (vcpuOf(source) < 0 ? undefined : vcpuOf(source)) },
  name: { width: 24, read: ({ event }) => event.kind },
  cause: { width: 8, read: ({ cause }) => cause },
  within: { width: 8, read: ({ within }) => within },
  text: { width: 40, read: ({ event }) => briefOf(event) },
};

/** What a table has unless somebody says otherwise. */
export const USUAL_COLUMNS: readonly string[] = ['seq', 'tick', 'ns', 'source', 'name', 'text'];

const FIELD_WIDTH = 18;
const EXPLICIT = /^event\./;

/** Columns by name, of events of these kinds. Throws a Problem for one that none of them has. */
export function eventColumns(names: readonly string[], kinds: Iterable<string>): EventColumn[] {
  const fields = fieldsOf(kinds);
  return names.map((name) => {
    const every = own(OWN, name);
    if (every !== undefined) {
      const { width, read } = every;
      return { name, width, value: read, shown: (stamped, ns) => asText(read(stamped, ns)) };
    }
    const field = name.replace(EXPLICIT, '');
    if (!fields.has(field)) {
      throw new Problem(`There is no column ${onOneLine(name)}${orNearest(name, [...Object.keys(OWN), ...fields])}`);
    }
    const value = ({ event }: Stamped): unknown => Reflect.get(event, field);
    return {
      name,
      width: FIELD_WIDTH,
      value,
      shown: (stamped) => shownField(stamped.event.kind, field, value(stamped)),
    };
  });
}

/** A field by the name of its number, a large number in hexadecimal digits. */
function shownField(kind: string, field: string, value: unknown): string {
  if (typeof value !== 'number') return asText(value);
  const name = namesOf(kind, field)?.nameOf(value);
  return name ?? (value > 9 ? `0x${value.toString(16)}` : String(value));
}

const asText = (value: unknown): string => (value === undefined ? '' : onOneLine(String(plainField(value))));

/** A row of a table for a person. */
export const columnsLine = (columns: readonly EventColumn[], cells: readonly string[]): string =>
  cells
    .map((cell, at) => (at === cells.length - 1 ? cell : cell.padEnd(columns[at]!.width)))
    .join(' ')
    .trimEnd();

/** A row as RFC 4180 has it. */
export const csvLine = (cells: readonly unknown[]): string => cells.map(csvCell).join(',');

function csvCell(value: unknown): string {
  const text = asText(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
