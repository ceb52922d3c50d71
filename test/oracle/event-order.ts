import { readFileSync } from 'node:fs';
import { align, Interned } from './streams/align.ts';
import { explain } from './streams/differences.ts';
import { parseEvents, readRecording, tokensOf } from './streams/event-reference.ts';

/** What laying two recordings beside each other came to. */
export interface EventOrder {
  readonly equal: number;
  readonly referenceOnly: number;
  readonly oursOnly: number;
  /** Why events differ, with counts. */
  readonly explained: ReadonlyMap<string, number>;
  /** Events of either side that nothing explains, with where they are. */
  readonly unknown: readonly string[];
}

/** Compare the order of exits, port accesses, CPUID, MSRs and interrupts. */
export function compareOrder(reference: readonly string[], ours: readonly string[]): EventOrder {
  const table = new Interned();
  const [a, b] = [reference, ours].map((tokens) => Int32Array.from(tokens, (token) => table.id(token)));
  const { equal, gaps } = align(a, b, 1 << 16);
  const explained = new Map<string, number>();
  const unknown: string[] = [];
  const count = (tokens: readonly string[], at: number, side: 'reference' | 'ours') => {
    for (const token of tokens) {
      const why = explain(token, side);
      if (why === undefined) unknown.push(`${side} #${at}: ${token}`);
      else explained.set(why, (explained.get(why) ?? 0) + 1);
    }
  };
  let [referenceOnly, oursOnly] = [0, 0];
  for (const gap of gaps) {
    count(reference.slice(gap.reference, gap.reference + gap.referenceLength), gap.reference, 'reference');
    count(ours.slice(gap.ours, gap.ours + gap.oursLength), gap.ours, 'ours');
    referenceOnly += gap.referenceLength;
    oursOnly += gap.oursLength;
  }
  return { equal, referenceOnly, oursOnly, explained, unknown };
}

/** Compare a gzip-compressed ftrace recording with what `retrovisor events` printed. */
export function compareFiles(reference: string, ours: string): EventOrder {
  return compareOrder(tokensOf(readRecording(reference)), tokensOf(parseEvents(readFileSync(ours, 'utf8'))));
}

/** Print a comparison for a person. */
export function showOrder(order: EventOrder, limit = 40): string {
  const lines = [
    `${order.equal} events equal and in order, ${order.referenceOnly} only recorded, ${order.oursOnly} only ours`,
  ];
  for (const [why, n] of order.explained) lines.push(`${String(n).padStart(7)}  ${why}`);
  for (const line of order.unknown.slice(0, limit)) lines.push(`  unknown: ${line}`);
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('event-order.ts')) {
  const [reference, ours] = process.argv.slice(2);
  if (reference === undefined || ours === undefined) {
    console.error('usage: tsx test/oracle/event-order.ts RECORDING.trace.gz OUR-EVENTS.txt');
    process.exit(2);
  }
  const order = compareFiles(reference, ours);
  console.log(showOrder(order));
  process.exit(order.unknown.length === 0 ? 0 : 1);
}
