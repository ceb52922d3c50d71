import { onOneLine } from '../base/printable.ts';
import type { Stamped } from '../events/stamped.ts';
import { NODE } from '../host/node.ts';
import { complain } from '../host/output.ts';
import { checkpointPath, openStoredCheckpoints } from '../runs/recorded/stored-checkpoints.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { Problem } from '../base/problem.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { kindsUpTo, type TraceReader } from '../replay/trace/reader.ts';
import { statusOfDamage } from './cut.ts';

/** Where a command's answer goes, line by line. */
export type Print = (line: string) => void;

const DAMAGED = 1;

/** Open a trace for who only looks: what is wrong with it is said, however little of it is read. */
export function openToLook(path: string): TraceReader {
  const trace = openTraceFile(path, { acceptCut: true });
  statusOfDamage(trace);
  return trace;
}

/** Tell a reader every event, oldest first, until it has enough. Returns the status, once any damage is said. */
export function readThrough(trace: TraceReader, read: (stamped: Stamped) => boolean): number {
  const sound = new SoundEvents(trace);
  for (const stamped of sound.inOrder()) if (!read(stamped)) break;
  return sound.status;
}

/** The events of a trace as far as they can be read. */
export class SoundEvents {
  /** Of a process that has read them. */
  status: number;
  private readonly trace: TraceReader;
  private readonly say: (sentence: string) => void;

  constructor(trace: TraceReader, say: (sentence: string) => void = complain) {
    this.trace = trace;
    this.say = say;
    this.status = trace.damage === undefined ? 0 : DAMAGED;
  }

  /** Oldest first; of kinds that are not wanted only some. What is damage to who reads on is said once, and ends it. */
  *inOrder(isWanted?: (kind: string) => boolean): Generator<Stamped, void> {
    try {
      yield* inOrder(this.trace, 0, isWanted);
    } catch (damage) {
      if (!(damage instanceof TraceDamage)) throw damage;
      if (damage.message !== this.trace.damage) this.say(damage.message);
      this.status = DAMAGED;
    }
  }
}

/** Read until the end, or until what is damage to this reader, which is said once. Returns the status. */
function asFarAsSound({ damage: saidAlready }: TraceReader, read: () => void): number {
  try {
    read();
    return saidAlready === undefined ? 0 : DAMAGED;
  } catch (damage) {
    if (!(damage instanceof Problem)) throw damage;
    if (damage.message !== saidAlready) complain(damage.message);
    return DAMAGED;
  }
}

/** `retrovisor info`: what a trace says about itself. Returns the status. */
export function printInfo(path: string, print: Print): number {
  const trace = openToLook(path);
  const names = Object.keys(trace.header.vocabulary);
  const counts = new Float64Array(names.length);
  let last: Stamped | undefined;
  const status = asFarAsSound(trace, () => {
    // Of an event its kind alone is read: a long run is told of at once.
    for (const [chunk, places] of kindsUpTo(trace, Number.POSITIVE_INFINITY)) {
      for (const place of places) counts[place]! += 1;
      const events = chunk === trace.chunks.at(-1) ? trace.openChunk(chunk) : undefined;
      last = events?.at(events.length - 1);
    }
  });
  printHeader(path, trace, print);
  const disks = asFarAsSound(trace, () => printBlocks(trace, print));
  if (last !== undefined) print(`ends at event ${last.seq}, tick ${last.tick}`);
  const kinds = names.map((kind, place) => [kind, counts[place] as number] as const).filter(([, count]) => count > 0);
  printCounts(
    kinds.sort((a, b) => b[1] - a[1]),
    print,
  );
  return Math.max(status, disks);
}

function printBlocks(trace: TraceReader, print: Print): void {
  const { length } = trace.blocks();
  if (length > 0) print(`${length} block${length === 1 ? '' : 's'} of disk images read, known by content`);
}

function printHeader(path: string, { header, eventCount, chunks, payloads }: TraceReader, print: Print): void {
  const { formatVersion, engineVersion, seed } = header;
  print(onOneLine(`${path}: Retrovisor trace, format ${formatVersion}, engine ${engineVersion}, seed ${seed}`));
  const { parent } = header;
  if (parent !== undefined) print(onOneLine(`fork of ${parent.trace} at ${parent.at}: ${parent.set}`));
  print(`machine: ${JSON.stringify(header.machine)}`);
  for (const image of header.images) {
    print(onOneLine(`${image.role}: ${image.name}, ${image.bytes} bytes, sha256 ${image.sha256}`));
  }
  print(`${eventCount} events in ${chunks.length} chunks`);
  const kept = payloads.list();
  const bytes = kept.reduce((sum, { length }) => sum + length, 0);
  if (kept.length > 0) print(`${kept.length} payloads from outside, ${bytes} bytes, each content once`);
  const checkpoints = openStoredCheckpoints(NODE, path, print);
  const { length: stored = 0 } = checkpoints?.places ?? [];
  checkpoints?.close();
  if (stored > 0) print(`${stored} checkpoints in ${onOneLine(checkpointPath(path))}`);
}

/** Two columns, numbers to the right. */
function printCounts(kinds: readonly (readonly [kind: string, count: number])[], print: Print): void {
  const rows = [['Event', 'Count'], ...kinds.map(([kind, count]) => [onOneLine(kind), String(count)])] as const;
  const [wide, digits] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const [kind, count] of rows) print(`${kind!.padEnd(wide!)}  ${count!.padStart(digits!)}`);
}
