/** What packets cost, as text and for programs. */
import { onOneLine } from '../../base/printable.ts';
import { csvLine } from './event-columns.ts';
import type { PacketCosts } from './packet-costs.ts';

const NAME = 22;
const WIDTH = 11;

const each = (sum: number, { packets }: PacketCosts): string => (sum / packets).toFixed(2);

const exitsOf = ({ exits }: PacketCosts): number => [...exits.values()].reduce((sum, count) => sum + count, 0);

const cells = (values: readonly (string | number)[]): string =>
  values.map((value) => String(value).padStart(WIDTH)).join('');

/** As a table of text, all but packets for each of them. `eventBytes`: of the trace, on average. */
export function packetCostsTable(rows: readonly PacketCosts[], eventBytes: number): string {
  return [
    `${'Card'.padEnd(NAME)}Way${cells(['Packets', 'Exits', 'To user', 'Interrupts', 'Copies', 'Events', 'Bytes'])}`,
    '',
    ...rows.map((row) => {
      const { card, way, packets, userExits, interrupts, copies, events } = row;
      const sums = [exitsOf(row), userExits, interrupts, copies, events, events * eventBytes];
      return `${onOneLine(card).padEnd(NAME)}${way} ${cells([packets, ...sums.map((sum) => each(sum, row))])}`;
    }),
    '',
    ...rows.flatMap((row) =>
      [...row.exits].map(
        ([reason, count]) => `${onOneLine(row.card).padEnd(NAME)}${row.way}  ${each(count, row)} exits by ${reason}`,
      ),
    ),
  ].join('\n');
}

const plain = (row: PacketCosts, eventBytes: number) => {
  const { card, way, packets, exits, userExits, interrupts, copies, events } = row;
  return {
    ...{ card, way, packets, exits: exitsOf(row), user_exits: userExits, interrupts, copies, events },
    ...{ bytes: Math.round(events * eventBytes), reasons: Object.fromEntries(exits) },
  };
};

/** Sums of all packets, a JSON object a line. */
export const packetCostsJson = (rows: readonly PacketCosts[], eventBytes: number): string[] =>
  rows.map((row) => JSON.stringify(plain(row, eventBytes)));

const COLUMNS = ['card', 'way', 'packets', 'exits', 'user_exits', 'interrupts', 'copies', 'events', 'bytes'] as const;

/** The same as RFC 4180 has it. */
export const packetCostsCsv = (rows: readonly PacketCosts[], eventBytes: number): string[] => [
  csvLine(COLUMNS),
  ...rows.map((row) => {
    const values = plain(row, eventBytes);
    return csvLine(COLUMNS.map((name) => values[name]));
  }),
];
