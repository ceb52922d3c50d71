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
import { statisticsCsv, statisticsJson, statisticsTable } from '../replay/export/statistics-table.ts';
import { portOf } from '../replay/packets/wires.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { orNearest } from '../base/nearest.ts';
import { UsageProblem } from '../options/usage.ts';
import { asUsage } from './events-command.ts';
import { openToLook, type Print, readThrough } from './trace-commands.ts';

/** What `retrovisor stat` counts and how it prints it. */
export interface StatOptions {
  readonly event?: string;
  readonly key?: string;
  readonly vcpu?: number;
  readonly condition?: string;
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

/** `retrovisor stat --event disk` or `net`. Returns the status. */
function printOthers<Row>(
  name: string,
  counted: Counted<Row>,
  path: string,
  options: StatOptions,
  print: Print,
): number {
  const { condition, as, vcpu, key } = options;
  if (vcpu !== undefined) throw new UsageProblem(`--event ${name} takes no --vcpu: ${counted.alone}.`);
  if (key !== undefined) throw new UsageProblem(`--event ${name} takes no --key: most frequent first.`);
  const isMeant = condition === undefined ? undefined : asUsage(() => eventCondition(condition, [counted.kind]));
  const trace = openToLook(path);
  const pace = readDescription(trace.header.machine, path);
  const net = wiresOf(pace);
  const passing = new Set(net.filter((client) => portOf(net, client) !== undefined).map(({ name }) => name));
  const counts = counted.make({ pace, isMeant, passing });
  const status = readThrough(trace, (stamped) => {
    counts.next(stamped);
    return true;
  });
  if (as === 'json' || as === 'csv') for (const line of counted[as](counts.rows)) print(line);
  else print(counted.table(counts.rows));
  return status;
}

/** `retrovisor stat`: VM exits by reason, or accesses, as `perf kvm stat report`. Returns the status. */
export function printStatistics(path: string, options: StatOptions, print: Print): number {
  if (options.event === 'disk') return printOthers('disk', OTHERS.disk, path, options, print);
  if (options.event === 'net') return printOthers('net', OTHERS.net, path, options, print);
  const { vcpu, condition, as } = options;
  const subject = oneOf<SubjectName>('--event', options.event ?? 'vmexit', SUBJECTS);
  const order = ORDERS[oneOf<OrderName>('--key', options.key ?? 'sample', ORDERS)];
  const isMeant =
    condition === undefined ? undefined : asUsage(() => eventCondition(condition, [SUBJECTS[subject].kind]));
  const trace = openToLook(path);
  const machine = readDescription(trace.header.machine, path);
  if (vcpu !== undefined && vcpu >= machine.smp) {
    throw new UsageProblem(`There is no vCPU ${vcpu}: the machine has ${machine.smp}.`);
  }
  const counts = new EventCounts({ subject, pace: machine, vcpu, isMeant });
  const status = readThrough(trace, (stamped) => {
    counts.next(stamped);
    return true;
  });
  const rows = counts.rows.sort(order);
  if (as === 'json') for (const line of statisticsJson(rows)) print(line);
  else if (as === 'csv') for (const line of statisticsCsv(rows)) print(line);
  else print(statisticsTable(rows, subject));
  return status;
}

function oneOf<Name extends string>(option: string, text: string, names: Readonly<Record<Name, unknown>>): Name {
  if (Object.hasOwn(names, text)) return text as Name;
  const all = [...Object.keys(names), ...(option === '--event' ? Object.keys(OTHERS) : [])];
  throw new UsageProblem(`${option} is one of ${all.join(', ')}, not ${onOneLine(text)}${orNearest(text, all)}`);
}
