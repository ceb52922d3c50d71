import { readFileSync } from 'node:fs';
import { align, Interned } from './streams/align.ts';
import { explain } from './streams/differences.ts';
import { parseEvents, readRecording, tokensByVcpu } from './streams/event-reference.ts';

/** Events in a row that must agree before two recordings have met again. */
const EVENT_ANCHOR = 4;
const LARGEST_TABLE = 16_000_000;

/** What laying two recordings beside each other came to. */
export interface EventOrder {
  readonly equal: number;
  readonly referenceOnly: number;
  readonly oursOnly: number;
  /** Recorded after ours had ended: not compared. */
  readonly behind: number;
  /** Why events differ, with counts. */
  readonly explained: ReadonlyMap<string, number>;
  /** Events of either side that nothing explains, with where they are. */
  readonly unknown: readonly string[];
}

/** Compare the order of exits, port accesses, CPUID, MSRs and interrupts. */
export function compareOrder(reference: readonly string[], ours: readonly string[]): EventOrder {
  const table = new Interned();
  const numbered = (tokens: readonly string[]) => Int32Array.from(tokens, (token) => table.id(token));
  const [a, b] = [numbered(reference), numbered(ours)];
  const { equal, gaps } = align(a, b, 1 << 16, undefined, EVENT_ANCHOR);
  let matched = 0;
  const explained = new Map<string, number>();
  const unknown: string[] = [];
  const count = (tokens: readonly string[], at: number, side: 'reference' | 'ours') => {
    for (const token of tokens) {
      const why = explain(token, side);
      if (why === undefined) unknown.push(`${side} #${at}: ${token}`);
      else explained.set(why, (explained.get(why) ?? 0) + 1);
      if (process.env['RETROVISOR_ALL'] === '1') console.log(`${side} #${at}: ${token} | ${why ?? 'unknown'}`);
    }
  };
  let [referenceOnly, oursOnly] = [0, 0];
  for (const gap of gaps) {
    const theirs = reference.slice(gap.reference, gap.reference + gap.referenceLength);
    const own = ours.slice(gap.ours, gap.ours + gap.oursLength);
    const common = longestCommon(theirs, own);
    count(
      theirs.filter((_, i) => !common.reference.has(i)),
      gap.reference,
      'reference',
    );
    count(
      own.filter((_, i) => !common.ours.has(i)),
      gap.ours,
      'ours',
    );
    matched += common.reference.size;
    referenceOnly += gap.referenceLength - common.reference.size;
    oursOnly += gap.oursLength - common.reference.size;
  }
  const behind = reference.length - equal - matched - referenceOnly;
  return { equal: equal + matched, referenceOnly, oursOnly, behind, explained, unknown };
}

/** Indices of a longest common subsequence. Gaps too long for the square table have none. */
function longestCommon(a: readonly string[], b: readonly string[]): { reference: Set<number>; ours: Set<number> } {
  const found = { reference: new Set<number>(), ours: new Set<number>() };
  if (a.length * b.length > LARGEST_TABLE) return found;
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const skip = Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1]! + 1 : skip;
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      found.reference.add(i++);
      found.ours.add(j++);
    } else if (table[(i + 1) * width + j]! >= table[i * width + j + 1]!) i++;
    else j++;
  }
  return found;
}

/** Where a kvm-unit-test begins: it sets CR4.PAE on its way to long mode. What is before belongs to the firmware. */
const GUEST_BEGINS = 'cr cr_write 4 = 0x20';

/** The part of a recording before the guest, or the guest's own. */
export function partOf(tokens: readonly string[], part: 'firmware' | 'guest'): readonly string[] {
  // The exit comes before what it came to.
  const at = tokens.indexOf(GUEST_BEGINS) - 1;
  if (at < 0) return tokens;
  return part === 'guest' ? tokens.slice(at) : tokens.slice(0, at);
}

/** Compare one part of a gzip-compressed ftrace recording, vCPU by vCPU, with what `retrovisor events` printed. */
export function compareFiles(reference: string, ours: string, part: 'firmware' | 'guest'): EventOrder[] {
  const recorded = tokensByVcpu(readRecording(reference));
  const own = tokensByVcpu(parseEvents(readFileSync(ours, 'utf8')));
  return recorded.map((tokens, vcpu) => compareOrder(partOf(tokens, part), partOf(own[vcpu] ?? [], part)));
}

/** Print a comparison for a person. */
export function showOrder(order: EventOrder, limit = 40): string {
  const lines = [
    `${order.equal} events equal and in order, ${order.referenceOnly} only recorded, ${order.oursOnly} only ours`,
  ];
  if (order.behind > 0) lines.push(`${String(order.behind).padStart(7)}  recorded after ours had ended: not compared`);
  for (const [why, n] of order.explained) lines.push(`${String(n).padStart(7)}  ${why}`);
  for (const line of order.unknown.slice(0, limit)) lines.push(`  unknown: ${line}`);
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('event-order.ts')) {
  const [reference, ours, part = 'guest'] = process.argv.slice(2);
  if (reference === undefined || ours === undefined || (part !== 'guest' && part !== 'firmware')) {
    console.error('usage: tsx test/oracle/event-order.ts RECORDING.trace.gz OUR-EVENTS.txt [guest|firmware]');
    process.exit(2);
  }
  const orders = compareFiles(reference, ours, part);
  for (const [vcpu, order] of orders.entries()) console.log(`vcpu ${vcpu}: ${showOrder(order)}`);
  process.exit(orders.every(({ unknown }) => unknown.length === 0) ? 0 : 1);
}
