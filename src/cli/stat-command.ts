import { onOneLine } from '../base/printable.ts';
import type { Stamped } from '../events/stamped.ts';
import type { EventKind } from '../events/vocabulary.ts';
import { eventCondition } from '../replay/expression/event-scope.ts';
import { EventCounts, type OrderName, ORDERS, SUBJECTS, type SubjectName } from '../replay/export/statistics.ts';
import {
  type DiskCounting,
  DiskCounts,
  diskCsv,
  diskJson,
  type DiskStatistics,
  diskTable,
} from '../replay/export/disk-statistics.ts';
import { type NetCounting, NetCounts, type NetStatistics } from '../replay/export/net-statistics.ts';
import { netCsv, netJson, netTable } from '../replay/export/net-table.ts';
import { PacketCostCounts } from '../replay/export/packet-costs.ts';
import { packetCostsCsv, packetCostsJson, packetCostsTable } from '../replay/export/packet-costs-table.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import { statisticsCsv, statisticsJson, statisticsTable } from '../replay/export/statistics-table.ts';
import { portOf } from '../replay/packets/wires.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { orNearest } from '../base/nearest.ts';
import { asUsage, UsageProblem } from '../options/usage.ts';
import { type MachineIn, machinesIn, WhoseLines } from './machines-in.ts';
import { type Print, readThrough } from './trace-commands.ts';

/** What `retrovisor stat` counts and how it prints it. */
export interface StatOptions {
  readonly event?: string;
  readonly key?: string;
  readonly vcpu?: number;
  readonly condition?: string;
  /** What is counted for each packet instead. */
  readonly table?: string;
  readonly as?: 'json' | 'csv';
}

/** A reader that counts what is not an exit, and how its rows are shown. */
interface Counts<Row> {
  next(stamped: Stamped): void;
  readonly rows: Row[];
}

interface Counted<Row> {
  /** The kind of event a condition is about. */
  readonly kind: EventKind;
  /** Why no processor is asked about. */
  readonly alone: string;
  make(counting: DiskCounting & NetCounting): Counts<Row>;
  table(rows: readonly Row[]): string;
  json(rows: readonly Row[]): string[];
  csv(rows: readonly Row[]): string[];
}

const DISK: Counted<DiskStatistics> = {
  kind: 'sim:disk_submitted',
  alone: 'no processor serves a request',
  make: (counting) => new DiskCounts(counting),
  ...{ table: diskTable, json: diskJson, csv: diskCsv },
};

const NET: Counted<NetStatistics> = {
  kind: 'sim:packet_sent',
  alone: 'no processor sends a packet',
  make: (counting) => new NetCounts(counting),
  ...{ table: netTable, json: netJson, csv: netCsv },
};

/** What is counted besides exits. To add one, add its row. */
const OTHERS = { disk: DISK, net: NET };

/** Rows of a machine, as they are counted and shown. */
interface Report {
  next(stamped: Stamped): void;
  /** Once all is read. */
  show(as: StatOptions['as']): string[];
}

/** `retrovisor stat --event disk` or `net`: a report for each machine. */
function othersOf<Row>(name: string, counted: Counted<Row>, options: StatOptions): (machine: MachineIn) => Report {
  const { condition, vcpu, key } = options;
  if (vcpu !== undefined) throw new UsageProblem(`--event ${name} takes no --vcpu: ${counted.alone}.`);
  if (key !== undefined) throw new UsageProblem(`--event ${name} takes no --key: most frequent first.`);
  const isMeant = condition === undefined ? undefined : asUsage(() => eventCondition(condition, [counted.kind]));
  return ({ description: pace }) => {
    const net = wiresOf(pace);
    const passing = new Set(net.filter((client) => portOf(net, client) !== undefined).map(({ name: port }) => port));
    const counts = counted.make({ pace, isMeant, passing });
    return {
      next: (stamped) => counts.next(stamped),
      show: (as) => (as === undefined ? [counted.table(counts.rows)] : counted[as](counts.rows)),
    };
  };
}

/** VM exits by reason, or accesses, as `perf kvm stat report`. */
function exitsOf({ event, key, vcpu, condition }: StatOptions): (machine: MachineIn) => Report {
  const subject = oneOf<SubjectName>('--event', event ?? 'vmexit', SUBJECTS);
  const order = ORDERS[oneOf<OrderName>('--key', key ?? 'sample', ORDERS)];
  const isMeant =
    condition === undefined ? undefined : asUsage(() => eventCondition(condition, [SUBJECTS[subject].kind]));
  return ({ description }) => {
    if (vcpu !== undefined && vcpu >= description.smp) {
      throw new UsageProblem(`There is no vCPU ${vcpu}: the machine has ${description.smp}.`);
    }
    const counts = new EventCounts({ subject, pace: description, vcpu, isMeant });
    return {
      next: (stamped) => counts.next(stamped),
      show(as) {
        const rows = counts.rows.sort(order);
        if (as === 'json') return statisticsJson(rows);
        return as === 'csv' ? statisticsCsv(rows) : [statisticsTable(rows, subject)];
      },
    };
  };
}

/** `--table packets`: exits and copies per packet. */
function packetsOf({ table, event, key, vcpu, condition }: StatOptions): (machine: MachineIn) => Report {
  if (table !== 'packets') throw new UsageProblem(`--table is of packets, not of ${onOneLine(table ?? '')}.`);
  if ([event, key, vcpu, condition].some((asked) => asked !== undefined)) {
    throw new UsageProblem('--table packets takes no --event, --key, --vcpu or --if: it is of all packets.');
  }
  return ({ description, trace }) => {
    const cards = wiresOf(description).filter(({ type }) => type === 'nic');
    const counts = new PacketCostCounts(cards.map(({ name }) => name));
    return {
      next: (stamped) => counts.next(stamped),
      show(as) {
        const { rows } = counts;
        const bytes = bytesOfEvent(trace);
        if (as === 'json') return packetCostsJson(rows, bytes);
        return as === 'csv' ? packetCostsCsv(rows, bytes) : [packetCostsTable(rows, bytes)];
      },
    };
  };
}

/** What an event takes in a trace, on average; 0 where that is not known. */
function bytesOfEvent({ chunks }: TraceReader): number {
  const [first, last] = [chunks[0], chunks.at(-1)];
  if (first === undefined || last === undefined || last === first) return 0;
  return (last.offset - first.offset) / (last.firstSeq - first.firstSeq);
}

function reporting(options: StatOptions): (machine: MachineIn) => Report {
  if (options.table !== undefined) return packetsOf(options);
  if (options.event === 'disk') return othersOf('disk', OTHERS.disk, options);
  return options.event === 'net' ? othersOf('net', OTHERS.net, options) : exitsOf(options);
}

/** `retrovisor stat`: what happened in a run, counted; of several machines in each. Returns the status. */
export function printStatistics(path: string, options: StatOptions, print: Print): number {
  const reportOf = reporting(options);
  const machines = machinesIn(path);
  const whose = new WhoseLines(machines);
  let status = 0;
  for (const [at, machine] of machines.entries()) {
    const report = reportOf(machine);
    const read = readThrough(machine.trace, (stamped) => {
      report.next(stamped);
      return true;
    });
    status = Math.max(status, read);
    for (const line of shownAs(options.as, report.show(options.as), { whose, at })) print(line);
  }
  return status;
}

/** Lines of one of several machines; of CSV the names of the columns once. */
function shownAs(
  as: StatOptions['as'],
  lines: readonly string[],
  { whose, at }: { readonly whose: WhoseLines; readonly at: number },
): string[] {
  if (as === 'json') return lines.map((line) => whose.json(at, line, undefined));
  if (as !== 'csv') return lines.flatMap((text) => text.split('\n')).map((line) => whose.line(at, line));
  const [head, ...rows] = lines.map((line, row) => whose.cell(row === 0 ? undefined : at, line));
  return at === 0 ? [head!, ...rows] : rows;
}

function oneOf<Name extends string>(option: string, text: string, names: Readonly<Record<Name, unknown>>): Name {
  if (Object.hasOwn(names, text)) return text as Name;
  const all = [...Object.keys(names), ...(option === '--event' ? Object.keys(OTHERS) : [])];
  throw new UsageProblem(`${option} is one of ${all.join(', ')}, not ${onOneLine(text)}${orNearest(text, all)}`);
}
