import Table from 'cli-table3';
import { Problem } from '../../base/problem.ts';
import { openTraceFile } from '../../host/trace-file.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { TraceReader } from '../../replay/trace/reader.ts';
import { type EventFilter, matcher, unknownKinds } from '../event-filter.ts';
import { eventJson, eventLine } from '../event-text.ts';
import { exitStatistics } from '../exit-statistics.ts';
import { UsageProblem } from './usage.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** Every readable event in order; says at the end what made it stop early. */
function eachEvent(trace: TraceReader, hear: (stamped: Stamped) => boolean | undefined): string | undefined {
  for (const chunk of trace.chunks) {
    let events: readonly Stamped[];
    try {
      events = trace.readChunk(chunk);
    } catch (problem) {
      if (problem instanceof Problem) return problem.message;
      throw problem;
    }
    for (const stamped of events) if (hear(stamped) === false) return undefined;
  }
  return trace.damage;
}

/** `retrovisor events`: print a trace as `trace-cmd report` does. Returns the status. */
export function printEvents(
  path: string,
  filter: EventFilter,
  form: { readonly json: boolean; readonly limit: number },
  print: Print,
): number {
  const unknown = unknownKinds(filter.kinds ?? []);
  if (unknown.length > 0) {
    throw new UsageProblem(`No kind of event is named ${unknown.join(', ')}: see \`retrovisor info FILE\`.`);
  }
  const wanted = matcher(filter);
  const text = form.json ? eventJson : eventLine;
  let left = form.limit;
  const damage = eachEvent(openTraceFile(path), (stamped) => {
    if (!wanted(stamped)) return undefined;
    print(text(stamped));
    left -= 1;
    return left > 0;
  });
  return reportDamage(damage);
}

function reportDamage(damage: string | undefined): number {
  if (damage === undefined) return 0;
  process.stderr.write(`retrovisor: ${damage}\n`);
  return DAMAGED;
}

const share = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(2)}%`);

/** `retrovisor stat`: VM exits by reason. Returns the status. */
export function printStatistics(path: string, print: Print): number {
  const statistics = exitStatistics();
  const damage = eachEvent(openTraceFile(path), (stamped) => {
    statistics.hear(stamped);
    return undefined;
  });
  const counts = statistics.counts();
  const exits = counts.reduce((sum, { count }) => sum + count, 0);
  const ticks = counts.reduce((sum, row) => sum + row.ticks, 0);
  const table = plainTable(['VM-EXIT', 'Samples', 'Samples%', 'Ticks', 'Ticks%', 'Ticks/exit']);
  for (const row of counts) {
    const mean = (row.ticks / row.count).toFixed(1);
    table.push([row.reason, row.count, share(row.count, exits), row.ticks, share(row.ticks, ticks), mean]);
  }
  print(table.toString());
  print(`Total: ${exits} exits in ${ticks} instructions.`);
  return reportDamage(damage);
}

/** `retrovisor info`: what a trace says about itself. Returns the status. */
export function printInfo(path: string, print: Print): number {
  const trace = openTraceFile(path);
  const { header } = trace;
  const kinds = new Map<string, number>();
  let last: Stamped | undefined;
  const damage = eachEvent(trace, (stamped) => {
    kinds.set(stamped.event.kind, (kinds.get(stamped.event.kind) ?? 0) + 1);
    last = stamped;
    return undefined;
  });
  print(
    `${path}: Retrovisor trace, format ${header.formatVersion}, engine ${header.engineVersion}, seed ${header.seed}`,
  );
  print(`machine: ${JSON.stringify(header.machine)}`);
  for (const image of header.images) {
    print(`${image.role}: ${image.name}, ${image.bytes} bytes, sha256 ${image.sha256}`);
  }
  print(`${trace.eventCount} events in ${trace.chunks.length} chunks, ${trace.checkpoints.length} checkpoints`);
  if (last !== undefined) print(`ends at event ${last.seq}, tick ${last.tick}`);
  const table = plainTable(['Event', 'Count']);
  for (const [kind, count] of [...kinds].sort((a, b) => b[1] - a[1])) table.push([kind, count]);
  print(table.toString());
  return reportDamage(damage);
}

/** Columns without borders, numbers to the right. */
function plainTable(head: readonly string[]): Table.Table {
  const none = Object.fromEntries(
    ['top', 'bottom', 'left', 'right', 'mid'].flatMap((edge) => [
      [edge, ''],
      [`${edge}-mid`, ''],
      [`${edge}-left`, ''],
      [`${edge}-right`, ''],
    ]),
  );
  return new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    chars: { ...none, 'mid-mid': '', 'left-mid': '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}
