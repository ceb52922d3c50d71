import Table from 'cli-table3';
import { lastValueFrom, takeWhile } from 'rxjs';
import type { Stamped } from '../events/stamped.ts';
import { NODE } from '../host/node.ts';
import { checkpointPath, openStoredCheckpoints } from '../runs/recorded/stored-checkpoints.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { Gate } from '../replay/streams/hold.ts';
import { traceEvents } from '../replay/streams/trace-events.ts';
import type { TraceReader } from '../replay/trace/reader.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** Tell a reader every event, oldest first, until it has enough. Resolves to the status, once any damage is said. */
export async function readThrough(trace: TraceReader, read: (stamped: Stamped) => boolean): Promise<number> {
  try {
    await lastValueFrom(traceEvents(trace, new Gate()).pipe(takeWhile(read)), { defaultValue: undefined });
    return 0;
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
    process.stderr.write(`retrovisor: ${damage.message}\n`);
    return DAMAGED;
  }
}

/** `retrovisor info`: what a trace says about itself. Resolves to the status. */
export async function printInfo(path: string, print: Print): Promise<number> {
  const trace = openTraceFile(path);
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
