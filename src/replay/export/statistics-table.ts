import { onOneLine } from '../../base/printable.ts';
import { csvLine } from './event-columns.ts';
import { type Spread, type StatisticsRow, SUBJECTS, type SubjectName } from './statistics.ts';

/** Widths of the columns: 80 in all. */
const WIDTHS = [23, 9, 9, 8, 10, 8, 13] as const;

/** Which of the two times is which. */
const ABOVE = `${'guest code before it'.padStart(59)}${'virtual time after'.padStart(21)}`;

const row = (cells: readonly string[]): string => cells.map((cell, at) => cell.padStart(WIDTHS[at]!)).join('');
const percent = (part: number, whole: number): string => `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(2)}%`;
const sum = (rows: readonly StatisticsRow[], of: (row: StatisticsRow) => number): number =>
  rows.reduce((total, each) => total + of(each), 0);

/** The statistics as a table of text: the guest's instructions before, virtual microseconds until the next entry. */
export function statisticsTable(rows: readonly StatisticsRow[], subject: SubjectName): string {
  const samples = sum(rows, (each) => each.samples);
  const ticks = sum(rows, ({ guest }) => guest.total);
  const ns = sum(rows, ({ handling }) => handling.total);
  return [
    ABOVE,
    row([SUBJECTS[subject].head, 'Samples', 'Samples%', 'Instr%', 'Avg instr', 'Time%', 'Avg time']),
    '',
    ...rows.map(({ key, samples: count, guest, handling }) =>
      row([
        onOneLine(key),
        String(count),
        percent(count, samples),
        percent(guest.total, ticks),
        guest.average.toFixed(1),
        percent(handling.total, ns),
        micros(handling.average),
      ]),
    ),
    '',
    `Total samples: ${samples}, guest instructions: ${ticks}, handling: ${(ns / 1e6).toFixed(3)}ms.`,
  ].join('\n');
}

const micros = (ns: number): string => `${(ns / 1000).toFixed(2)}us`;

const COLUMNS = [
  'samples',
  'guest_ticks',
  'guest_least',
  'guest_most',
  'handled',
  'ns',
  'ns_least',
  'ns_most',
] as const;

const least = ({ count, least: value }: Spread): number => (count === 0 ? 0 : value);

const plain = ({ key, samples, guest, handling }: StatisticsRow) => ({
  key,
  samples,
  guest_ticks: guest.total,
  guest_least: least(guest),
  guest_most: guest.most,
  handled: handling.count,
  ns: handling.total,
  ns_least: least(handling),
  ns_most: handling.most,
});

/** The same, a JSON object a line. */
export const statisticsJson = (rows: readonly StatisticsRow[]): string[] =>
  rows.map((each) => JSON.stringify(plain(each)));

/** The same as RFC 4180 has it. */
export const statisticsCsv = (rows: readonly StatisticsRow[]): string[] => [
  csvLine(['key', ...COLUMNS]),
  ...rows.map((each) => {
    const values = plain(each);
    return csvLine([values.key, ...COLUMNS.map((name) => values[name])]);
  }),
];
