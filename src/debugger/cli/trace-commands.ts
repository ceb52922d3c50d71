import Table from 'cli-table3';
import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { readDescription } from '../../host/machine-description.ts';
import { checkpointPath, openStoredCheckpoints } from '../../host/stored-checkpoints.ts';
import { openTraceFile } from '../../host/trace-file.ts';
import { eventClock, reportLine } from '../../replay/export/report.ts';
import { exitStatistics, printStatistics } from '../../replay/export/statistics.ts';
import type { TraceReader } from '../../replay/trace/reader.ts';
import { type EventFilter, matcher, unknownKinds } from '../event-filter.ts';
import { eventJson } from '../event-json.ts';
import { UsageProblem } from './usage.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** The events of a trace, oldest first, up to the first damage. */
interface Reading {
  readonly events: Iterable<Stamped>;
  /** Say what made the events end early, if anything did. Returns the status. */
  end(): number;
}

function reading(trace: TraceReader): Reading {
  let damage: string | undefined;
  function* events(): Generator<Stamped> {
    for (const chunk of trace.chunks) {
      let read: readonly Stamped[];
      try {
        read = trace.readChunk(chunk);
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        damage = problem.message;
        return;
      }
      yield* read;
    }
    damage = trace.damage;
  }
  return {
    events: events(),
    end() {
      if (damage === undefined) return 0;
      process.stderr.write(`retrovisor: ${damage}\n`);
      return DAMAGED;
    },
  };
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
  const { events, end } = reading(trace);
  const clock = eventClock(readDescription(trace.header.machine, path).nsPerTick);
  const wanted = matcher(filter);
  let left = form.limit;
  for (const stamped of events) {
    const ns = clock.ns(stamped);
    if (!wanted(stamped)) continue;
    if (left <= 0) break;
    print(form.json ? eventJson(stamped) : reportLine(stamped, ns));
    left -= 1;
  }
  return end();
}

/** `retrovisor stat`: VM exits by reason, as `perf kvm stat report`. Returns the status. */
export function printExits(path: string, vcpu: number | undefined, print: Print): number {
  const { events, end } = reading(openTraceFile(path));
  const rows = exitStatistics(events, vcpu);
  if (rows.length === 0 && vcpu !== undefined) print(`vCPU ${vcpu} made no exit: is there one?`);
  print(printStatistics(rows));
  return end();
}

/** `retrovisor info`: what a trace says about itself. Returns the status. */
export function printInfo(path: string, print: Print): number {
  const trace = openTraceFile(path);
  const { header } = trace;
  const { events, end } = reading(trace);
  const kinds = new Map<string, number>();
  let last: Stamped | undefined;
  for (const stamped of events) {
    kinds.set(stamped.event.kind, (kinds.get(stamped.event.kind) ?? 0) + 1);
    last = stamped;
  }
  print(
    `${path}: Retrovisor trace, format ${header.formatVersion}, engine ${header.engineVersion}, seed ${header.seed}`,
  );
  const { parent } = header;
  if (parent !== undefined) print(`fork of ${parent.trace} at ${parent.at}: ${parent.set}`);
  print(`machine: ${JSON.stringify(header.machine)}`);
  for (const image of header.images) {
    print(`${image.role}: ${image.name}, ${image.bytes} bytes, sha256 ${image.sha256}`);
  }
  print(`${trace.eventCount} events in ${trace.chunks.length} chunks`);
  const { length: stored = 0 } = openStoredCheckpoints(path, print)?.places ?? [];
  if (stored > 0) print(`${stored} checkpoints in ${checkpointPath(path)}`);
  if (last !== undefined) print(`ends at event ${last.seq}, tick ${last.tick}`);
  const table = plainTable(['Event', 'Count']);
  for (const [kind, count] of [...kinds].sort((a, b) => b[1] - a[1])) table.push([kind, count]);
  print(table.toString());
  return end();
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
