import Table from 'cli-table3';
import { lastValueFrom, takeWhile } from 'rxjs';
import type { Stamped } from '../events/stamped.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { NODE } from '../host/node.ts';
import { checkpointPath, openStoredCheckpoints } from '../runs/recorded/stored-checkpoints.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { eventClock, reportLine } from '../replay/export/report.ts';
import { ExitCounts, printStatistics } from '../replay/export/statistics.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { Gate } from '../replay/streams/hold.ts';
import { traceEvents } from '../replay/streams/trace-events.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import { type EventFilter, matcher, unknownKinds } from '../replay/export/event-filter.ts';
import { eventJson } from '../replay/export/event-json.ts';
import { sayCut } from './cut.ts';
import { UsageProblem } from '../options/usage.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** Open a trace for who only looks: that it has no end is said, and no more. */
function openToLook(path: string): TraceReader {
  const trace = openTraceFile(path, { acceptCut: true });
  sayCut(trace);
  return trace;
}

/** Tell a reader every event, oldest first, until it has enough. Resolves to the status, once any damage is said. */
async function readThrough(trace: TraceReader, read: (stamped: Stamped) => boolean): Promise<number> {
  try {
    await lastValueFrom(traceEvents(trace, new Gate()).pipe(takeWhile(read)), { defaultValue: undefined });
    return 0;
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
    process.stderr.write(`retrovisor: ${damage.message}\n`);
    return DAMAGED;
  }
}

/** `retrovisor events`: print a trace as `trace-cmd report` does. Resolves to the status. */
export async function printEvents(
  path: string,
  filter: EventFilter,
  form: { readonly json: boolean; readonly limit: number },
  print: Print,
): Promise<number> {
  const unknown = unknownKinds(filter.kinds ?? []);
  if (unknown.length > 0) {
    throw new UsageProblem(`No kind of event is named ${unknown.join(', ')}: see \`retrovisor info FILE\`.`);
  }
  const trace = openToLook(path);
  const clock = eventClock(readDescription(trace.header.machine, path));
  const wanted = matcher(filter);
  let left = form.limit;
  return readThrough(trace, (stamped) => {
    const ns = clock.ns(stamped);
    if (!wanted(stamped)) return true;
    if (left > 0) print(form.json ? eventJson(stamped) : reportLine(stamped, ns));
    left -= 1;
    return left > 0;
  });
}

/** `retrovisor stat`: VM exits by reason, as `perf kvm stat report`. Resolves to the status. */
export async function printExits(path: string, vcpu: number | undefined, print: Print): Promise<number> {
  const counts = new ExitCounts(vcpu);
  const status = await readThrough(openToLook(path), (stamped) => {
    counts.next(stamped);
    return true;
  });
  const { rows } = counts;
  if (rows.length === 0 && vcpu !== undefined) print(`vCPU ${vcpu} made no exit: is there one?`);
  print(printStatistics(rows));
  return status;
}

/** `retrovisor info`: what a trace says about itself. Resolves to the status. */
export async function printInfo(path: string, print: Print): Promise<number> {
  const trace = openToLook(path);
  const kinds = new Map<string, number>();
  let last: Stamped | undefined;
  const status = await readThrough(trace, (stamped) => {
    kinds.set(stamped.event.kind, (kinds.get(stamped.event.kind) ?? 0) + 1);
    last = stamped;
    return true;
  });
  printHeader(path, trace, print);
  if (last !== undefined) print(`ends at event ${last.seq}, tick ${last.tick}`);
  const table = plainTable(['Event', 'Count']);
  for (const [kind, count] of [...kinds].sort((a, b) => b[1] - a[1])) table.push([kind, count]);
  print(table.toString());
  return status;
}

function printHeader(path: string, { header, eventCount, chunks, payloads }: TraceReader, print: Print): void {
  print(
    `${path}: Retrovisor trace, format ${header.formatVersion}, engine ${header.engineVersion}, seed ${header.seed}`,
  );
  const { parent } = header;
  if (parent !== undefined) print(`fork of ${parent.trace} at ${parent.at}: ${parent.set}`);
  print(`machine: ${JSON.stringify(header.machine)}`);
  for (const image of header.images) {
    print(`${image.role}: ${image.name}, ${image.bytes} bytes, sha256 ${image.sha256}`);
  }
  print(`${eventCount} events in ${chunks.length} chunks`);
  const kept = payloads.list();
  const bytes = kept.reduce((sum, { length }) => sum + length, 0);
  if (kept.length > 0) print(`${kept.length} payloads from outside, ${bytes} bytes, each content once`);
  const stored = openStoredCheckpoints(NODE, path, print);
  if (stored !== undefined) print(`${stored.places.length} checkpoints in ${checkpointPath(path)}`);
  stored?.close();
}

/** Columns without borders, numbers to the right. */
function plainTable(head: readonly string[]): Table.Table {
  const edges = ['top', 'bottom', 'left', 'right', 'mid'].flatMap((edge) => [
    edge,
    `${edge}-mid`,
    `${edge}-left`,
    `${edge}-right`,
  ]);
  return new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    chars: { ...Object.fromEntries(edges.map((edge) => [edge, ''])), middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
}
