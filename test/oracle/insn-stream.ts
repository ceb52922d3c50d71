import { agrees, align, type Gap, Interned } from './streams/align.ts';
import { readInstructions } from './streams/insn-reference.ts';
import { ourInstructions, type OurStream } from './streams/scribe.ts';
import { steppedMachine } from './stepped-machine.ts';

/** How often streams parted, and how many instructions only one of them has. */
interface GapCount {
  places: number;
  reference: number;
  ours: number;
}

/** What laying our instruction stream beside a recording came to. */
export interface StreamComparison {
  readonly equal: number;
  readonly reference: number;
  readonly ours: number;
  /** Differences that are understood, by what they are: polling loops, interrupts, the recording's machine. */
  readonly kinds: ReadonlyMap<string, Readonly<GapCount>>;
  /** The first difference that is not one of count; undefined when there is none. */
  readonly first: string | undefined;
  readonly others: number;
  /** Every such difference on one line. */
  readonly list: readonly string[];
}

/** The same rule for a recording: one line per REP and per failed instruction, and no notes of the emulator. */
export function withoutRepeats(ids: Int32Array, table: Interned): Int32Array {
  const kept = new Int32Array(ids.length);
  let count = 0;
  for (const [i, id] of ids.entries()) {
    const text = table.text(id);
    const failed = text.endsWith(' failed');
    const own = failed ? table.id(text.slice(0, -' failed'.length)) : id;
    if (!text.endsWith(')') && !failed) continue;
    if (failed && own === kept[count - 1]) continue;
    if (i > 0 && own === kept[count - 1] && /:(66 |67 )*f[23] /.test(text)) continue;
    kept[count++] = own;
  }
  return kept.slice(0, count);
}

const LONGEST_GAP = 1 << 21;
/** IN, RDTSC, PAUSE, HLT: what a loop that waits for time contains. */
const POLLS = /:(66 )?(ec|ed|e4 ..|e5 ..|0f 31|f3 90|f4) \(/;
const IRET = /:(66 |48 )?cf \(/;

/** A difference that comes from the machine the recording was made on. */
export interface Explanation {
  /** Text of an instruction that was skipped. */
  readonly at: string;
  readonly why: string;
}

/** Compare our stream with a recording; differences of count in polling loops are listed, any other is named. */
export function compareStreams(
  reference: Int32Array,
  { ids: ours, handlers }: OurStream,
  table: Interned,
  explanations: readonly Explanation[] = [],
): StreamComparison {
  const { equal, gaps, lost } = align(reference, ours, LONGEST_GAP, (i, j) => {
    const referenceLength = interruptLength(reference, i, ours, j, handlers, table);
    if (referenceLength > 0) return { reference: i, referenceLength, ours: j, oursLength: 0 };
    const oursLength = interruptLength(ours, j, reference, i, handlers, table);
    return oursLength > 0 ? { reference: i, referenceLength: 0, ours: j, oursLength } : undefined;
  });
  const inReference = new Set(reference);
  const inOurs = new Set(ours);
  const kinds = new Map<string, GapCount>();
  let first: string | undefined;
  const list: string[] = [];
  const whyOf = (gap: Gap): string | undefined => {
    const sides = [
      reference.subarray(gap.reference, gap.reference + gap.referenceLength),
      ours.subarray(gap.ours, gap.ours + gap.oursLength),
    ];
    const skipped = sides.flatMap((side) => [...side]);
    if (sides.every((side) => side.length === 0 || isInterrupt(side, handlers, table))) return 'an interrupt';
    const told = explanations.find(({ at }) => skipped.some((id) => table.text(id) === at));
    if (told !== undefined) return told.why;
    const shared = skipped.every((id) => inReference.has(id) && inOurs.has(id));
    const poll = skipped.find((id) => POLLS.test(table.text(id)));
    return shared && poll !== undefined ? `polling at ${table.text(poll)}` : undefined;
  };
  for (const [n, gap] of gaps.entries()) {
    const why = lost && n === gaps.length - 1 ? undefined : whyOf(gap);
    if (why === undefined) {
      list.push(shortGap(gap, reference, ours, table));
      first ??= describeGap(gap, reference, ours, table);
    } else {
      const entry = kinds.get(why) ?? { places: 0, reference: 0, ours: 0 };
      entry.places++;
      entry.reference += gap.referenceLength;
      entry.ours += gap.oursLength;
      kinds.set(why, entry);
    }
  }
  return { equal, reference: reference.length, ours: ours.length, kinds, first, others: list.length, list };
}

const LONGEST_INTERRUPT = 1 << 16;

/** Instructions of an interrupt that only this side took here: up to the IRET after which both agree. 0: none. */
function interruptLength(
  side: Int32Array,
  at: number,
  other: Int32Array,
  otherAt: number,
  handlers: ReadonlySet<number>,
  table: Interned,
): number {
  if (!handlers.has(side[at]!)) return 0;
  for (let end = at; end < Math.min(side.length, at + LONGEST_INTERRUPT); end++) {
    if (IRET.test(table.text(side[end]!)) && agrees(side, end + 1, other, otherAt)) return end + 1 - at;
  }
  return 0;
}

/** From a handler's first instruction to an IRET. */
function isInterrupt(side: Int32Array, handlers: ReadonlySet<number>, table: Interned): boolean {
  return handlers.has(side[0]!) && IRET.test(table.text(side[side.length - 1]!));
}

function shortGap(gap: Gap, reference: Int32Array, ours: Int32Array, table: Interned): string {
  const text = (stream: Int32Array, at: number) => (at < stream.length ? table.text(stream[at]!) : 'end');
  const recorded = `${gap.referenceLength} recorded from #${gap.reference} ${text(reference, gap.reference)}`;
  return `${recorded} | ${gap.oursLength} ours from #${gap.ours} ${text(ours, gap.ours)}`;
}

function describeGap(gap: Gap, reference: Int32Array, ours: Int32Array, table: Interned): string {
  const show = (stream: Int32Array, at: number, length: number) =>
    Array.from(stream.subarray(Math.max(0, at - 6), at + Math.min(8, length + 2)), (id, i) => {
      const index = Math.max(0, at - 6) + i;
      return `  ${index === at ? '>' : ' '} ${index} ${table.text(id)}`;
    }).join('\n');
  return [
    `recorded, ${gap.referenceLength} instructions apart:`,
    show(reference, gap.reference, gap.referenceLength),
    `ours, ${gap.oursLength} instructions apart:`,
    show(ours, gap.ours, gap.oursLength),
  ].join('\n');
}

/** What comes from an instruction on, like `0:4000bc`: a kernel, whatever loaded it. */
export function since(stream: Int32Array, place: string | undefined, table: Interned): Int32Array {
  if (place === undefined) return stream;
  return stream.subarray(stream.findIndex((id) => table.text(id).startsWith(`${place}:`)));
}

/** Print a comparison for a person. */
export function showComparison(comparison: StreamComparison): string {
  const { equal, reference, ours, kinds, first, others } = comparison;
  const lines = [`${equal} instructions equal; recorded ${reference}, ours ${ours}`];
  for (const [why, { places, reference: r, ours: o }] of kinds) {
    lines.push(`  ${why}: ${places} places, ${r} instructions only recorded, ${o} only ours`);
  }
  lines.push(first === undefined ? 'no other difference' : `${others} other differences, the first:\n${first}`);
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('insn-stream.ts')) {
  const [recording, count, ...args] = process.argv.slice(2);
  if (recording === undefined || count === undefined) {
    console.error('usage: tsx test/oracle/insn-stream.ts RECORDING.insn.txt.xz COUNT [options of retrovisor run]');
    process.exit(2);
  }
  const table = new Interned();
  const from = process.env['RETROVISOR_FROM'];
  const reference = since(withoutRepeats(readInstructions(recording, table), table), from, table);
  const ours = ourInstructions(steppedMachine(args), table, Number(count));
  const comparison = compareStreams(reference, ours, table);
  console.log(showComparison(comparison));
  if (process.env['RETROVISOR_ALL'] === '1') console.log(comparison.list.join('\n'));
  process.exit(comparison.first === undefined ? 0 : 1);
}
