import Table from 'cli-table3';
import type { Stamped } from '../events/stamped.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { NODE } from '../host/node.ts';
import { checkpointPath, openStoredCheckpoints } from '../runs/recorded/stored-checkpoints.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { eventClock, reportLine } from '../replay/export/report.ts';
import { ExitCounts, printStatistics } from '../replay/export/statistics.ts';
import { Problem } from '../base/problem.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { kindsUpTo, type TraceReader } from '../replay/trace/reader.ts';
import { type EventFilter, matcher, unknownKinds } from '../replay/export/event-filter.ts';
import { eventJson } from '../replay/export/event-json.ts';
import { UsageProblem } from '../options/usage.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** Tell a reader every event, oldest first, until it has enough. Returns the status, once any damage is said. */
const readThrough = (trace: TraceReader, read: (stamped: Stamped) => boolean): number =>
  asFarAsSound(TraceDamage, () => {
    for (const stamped of inOrder(trace)) if (!read(stamped)) return;
  });

/** Read until the end, or until what is damage to this reader, which is said. Returns the status. */
function asFarAsSound(kind: typeof Problem | typeof TraceDamage, read: () => void): number {
  try {
    read();
    return 0;
  } catch (damage) {
    if (!(damage instanceof kind)) throw damage;
    process.stderr.write(`retrovisor: ${damage.message}\n`);
    return DAMAGED;
  }
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
  const trace = openTraceFile(path);
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

/** `retrovisor stat`: VM exits by reason, as `perf kvm stat report`. Returns the status. */
export function printExits(path: string, vcpu: number | undefined, print: Print): number {
  const counts = new ExitCounts(vcpu);
  const status = readThrough(openTraceFile(path), (stamped) => {
    counts.next(stamped);
    return true;
  });
  const { rows } = counts;
  if (rows.length === 0 && vcpu !== undefined) print(`vCPU ${vcpu} made no exit: is there one?`);
  print(printStatistics(rows));
  return status;
}

/** `retrovisor info`: what a trace says about itself. Returns the status. */
export function printInfo(path: string, print: Print): number {
  const trace = openTraceFile(path);
  const names = Object.keys(trace.header.vocabulary);
  const counts = new Float64Array(names.length);
  let last: Stamped | undefined;
  const status = asFarAsSound(Problem, () => {
    // Of an event its kind alone is read: a long run is told of at once.
    for (const [chunk, places] of kindsUpTo(trace, Number.POSITIVE_INFINITY)) {
      for (const place of places) counts[place]! += 1;
      const events = chunk === trace.chunks.at(-1) ? trace.openChunk(chunk) : undefined;
      last = events?.at(events.length - 1);
    }
    if (trace.damage !== undefined) throw new Problem(trace.damage);
  });
  printHeader(path, trace, print);
  if (last !== undefined) print(`ends at event ${last.seq}, tick ${last.tick}`);
  const table = plainTable(['Event', 'Count']);
  const kinds = names.map((kind, place) => [kind, counts[place] as number] as const).filter(([, count]) => count > 0);
  for (const [kind, count] of kinds.sort((a, b) => b[1] - a[1])) table.push([kind, count]);
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
  const { length: stored = 0 } = openStoredCheckpoints(NODE, path, print)?.places ?? [];
  if (stored > 0) print(`${stored} checkpoints in ${checkpointPath(path)}`);
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
