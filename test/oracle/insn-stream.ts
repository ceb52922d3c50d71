import { Decoder, DecoderOptions } from 'iced-x86';
import { align, type Gap, Interned } from './streams/align.ts';
import { readInstructions } from './streams/insn-reference.ts';
import { bytesAt, linearIp, modeName, type SteppedMachine, steppedMachine } from './stepped-machine.ts';

/** What laying our instruction stream beside a recording came to. */
export interface StreamComparison {
  readonly equal: number;
  readonly reference: number;
  readonly ours: number;
  /** Gaps that are only another number of turns of a polling loop, by the loop. */
  readonly polls: ReadonlyMap<string, { readonly places: number; readonly reference: number; readonly ours: number }>;
  /** The first difference that is not one of count; undefined when there is none. */
  readonly first: string | undefined;
  readonly others: number;
  /** Every such difference on one line. */
  readonly list: readonly string[];
}

const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Writes down one instruction as the recording does: `CSBASE:RIP:BYTES (MODE)`. */
class Scribe {
  readonly #stepped: SteppedMachine;
  readonly #table: Interned;
  readonly #known = new Map<string, { readonly bytes: Uint8Array; readonly id: number; readonly repeats: boolean }>();

  constructor(stepped: SteppedMachine, table: Interned) {
    this.#stepped = stepped;
    this.#table = table;
  }

  next(): { readonly id: number; readonly repeats: boolean } {
    const { registers } = this.#stepped;
    const mode = modeName(registers);
    const base = mode === 'prot64' ? 0n : registers.segment(1).base;
    const place = `${base.toString(16)}:${registers.rip.toString(16)}`;
    const bytes = bytesAt(this.#stepped, linearIp(registers));
    const key = place + mode;
    const known = this.#known.get(key);
    if (known !== undefined && known.bytes.every((byte, i) => byte === bytes[i])) return known;
    const bitness = mode === 'prot64' ? 64 : mode === 'prot32' ? 32 : 16;
    const decoder = new Decoder(bitness, bytes, DecoderOptions.None);
    const instruction = decoder.decode();
    const own = bytes.slice(0, instruction.length);
    const repeats = instruction.hasRepPrefix || instruction.hasRepnePrefix;
    const id = this.#table.id(`${place}:${Array.from(own, hexByte).join(' ')} (${mode})`);
    instruction.free();
    decoder.free();
    const entry = { bytes: own, id, repeats };
    this.#known.set(key, entry);
    return entry;
  }
}

/** Run `limit` instructions of ours and write each down once, iterations of a REP as one. */
export function ourInstructions(stepped: SteppedMachine, table: Interned, limit: number): Int32Array {
  const ids = new Int32Array(limit);
  const scribe = new Scribe(stepped, table);
  const { machine } = stepped;
  let count = 0;
  let last = -1;
  while (count < limit) {
    const { id, repeats } = scribe.next();
    if (!(repeats && id === last)) ids[count++] = id;
    last = id;
    stepped.events.length = 0;
    const reason = machine.advance({ tick: machine.state.clock.ticks + 1 });
    if (reason.why !== 'until') break;
  }
  return ids.slice(0, count);
}

/** The same rule for a recording: one line per REP instruction, and no notes of the emulator. */
export function withoutRepeats(ids: Int32Array, table: Interned): Int32Array {
  const kept = new Int32Array(ids.length);
  let count = 0;
  for (const [i, id] of ids.entries()) {
    const text = table.text(id);
    const own = text.endsWith(' failed') ? table.id(text.slice(0, -' failed'.length)) : id;
    if (!text.includes(':')) continue;
    if (i > 0 && own === kept[count - 1] && /:(66 |67 )*f[23] /.test(text)) continue;
    kept[count++] = own;
  }
  return kept.slice(0, count);
}

const LONGEST_GAP = 1 << 21;
/** IN, RDTSC, PAUSE, HLT: what a loop that waits for time contains. */
const POLLS = /:(66 )?(ec|ed|e4 ..|e5 ..|0f 31|f3 90|f4) \(/;

/** Compare our stream with a recording; differences of count in polling loops are listed, any other is named. */
export function compareStreams(reference: Int32Array, ours: Int32Array, table: Interned): StreamComparison {
  const { equal, gaps, lost } = align(reference, ours, LONGEST_GAP);
  const inReference = new Set(reference);
  const inOurs = new Set(ours);
  const polls = new Map<string, { places: number; reference: number; ours: number }>();
  let first: string | undefined;
  const list: string[] = [];
  for (const [n, gap] of gaps.entries()) {
    const isEnd = lost && n === gaps.length - 1;
    const skipped = [
      ...reference.subarray(gap.reference, gap.reference + gap.referenceLength),
      ...ours.subarray(gap.ours, gap.ours + gap.oursLength),
    ];
    const shared = skipped.every((id) => inReference.has(id) && inOurs.has(id));
    const poll = skipped.find((id) => POLLS.test(table.text(id)));
    if (!isEnd && shared && poll !== undefined) {
      const entry = polls.get(table.text(poll)) ?? { places: 0, reference: 0, ours: 0 };
      entry.places++;
      entry.reference += gap.referenceLength;
      entry.ours += gap.oursLength;
      polls.set(table.text(poll), entry);
      continue;
    }
    list.push(shortGap(gap, reference, ours, table));
    first ??= describeGap(gap, reference, ours, table);
  }
  return { equal, reference: reference.length, ours: ours.length, polls, first, others: list.length, list };
}

function shortGap(gap: Gap, reference: Int32Array, ours: Int32Array, table: Interned): string {
  const text = (stream: Int32Array, at: number) => (at < stream.length ? table.text(stream[at]) : 'end');
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

/** Print a comparison for a person. */
export function showComparison(comparison: StreamComparison): string {
  const { equal, reference, ours, polls, first, others } = comparison;
  const lines = [`${equal} instructions equal; recorded ${reference}, ours ${ours}`];
  for (const [text, { places, reference: r, ours: o }] of polls) {
    lines.push(`  polling at ${text}: ${places} places, ${r} instructions only recorded, ${o} only ours`);
  }
  lines.push(
    first === undefined ? 'no difference but counts of polling loops' : `${others} differences, the first:\n${first}`,
  );
  return lines.join('\n');
}

if (process.argv[1]?.endsWith('insn-stream.ts')) {
  const [recording, count, ...args] = process.argv.slice(2);
  if (recording === undefined || count === undefined) {
    console.error('usage: tsx test/oracle/insn-stream.ts RECORDING.insn.txt.xz COUNT [options of retrovisor run]');
    process.exit(2);
  }
  const table = new Interned();
  const limit = Number(count);
  const reference = withoutRepeats(readInstructions(recording, table, limit), table);
  const ours = ourInstructions(steppedMachine(args), table, limit);
  const comparison = compareStreams(reference, ours, table);
  console.log(showComparison(comparison));
  if (process.env['RETROVISOR_ALL'] === '1') console.log(comparison.list.join('\n'));
  process.exit(comparison.first === undefined ? 0 : 1);
}
