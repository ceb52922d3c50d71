import { onOneLine } from '../base/printable.ts';
import { eventCondition } from '../replay/expression/event-scope.ts';
import { EventCounts, type OrderName, ORDERS, SUBJECTS, type SubjectName } from '../replay/export/statistics.ts';
import { DiskCounts, diskCsv, diskJson, diskTable } from '../replay/export/disk-statistics.ts';
import { statisticsCsv, statisticsJson, statisticsTable } from '../replay/export/statistics-table.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
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

const DISK = 'disk';

/** `retrovisor stat --event disk`: requests to drives. Returns the status. */
function printDiskStatistics(path: string, options: StatOptions, print: Print): number {
  const { condition, as, vcpu, key } = options;
  if (vcpu !== undefined) throw new UsageProblem('--event disk takes no --vcpu: no processor serves a request.');
  if (key !== undefined) throw new UsageProblem('--event disk takes no --key: most frequent first.');
  const kinds = ['sim:disk_submitted'];
  const isMeant = condition === undefined ? undefined : asUsage(() => eventCondition(condition, kinds));
  const trace = openToLook(path);
  const counts = new DiskCounts({ pace: readDescription(trace.header.machine, path), isMeant });
  const status = readThrough(trace, (stamped) => {
    counts.next(stamped);
    return true;
  });
  if (as === 'json') for (const line of diskJson(counts.rows)) print(line);
  else if (as === 'csv') for (const line of diskCsv(counts.rows)) print(line);
  else print(diskTable(counts.rows));
  return status;
}

/** `retrovisor stat`: VM exits by reason, or accesses, as `perf kvm stat report`. Returns the status. */
export function printStatistics(path: string, options: StatOptions, print: Print): number {
  if (options.event === DISK) return printDiskStatistics(path, options, print);
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
  const all = [...Object.keys(names), ...(option === '--event' ? [DISK] : [])];
  throw new UsageProblem(`${option} is one of ${all.join(', ')}, not ${onOneLine(text)}${orNearest(text, all)}`);
}
