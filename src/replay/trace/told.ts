import type { ByteReader } from '../../base/byte-reader.ts';
import type { EventKind, EventOf } from '../../events/vocabulary.ts';
import { type ByteWriter, writeVarint } from './bytes.ts';
import { contradiction } from './contradiction.ts';
import { isOne, type Numbers, readIntegers, readNumbers, writeIntegers } from './integers.ts';

/**
 * A run tells most numbers more than once: what a guest writes to a port is in its exit's operand, in KVM's trace
 * point, in the exit to user space and in the device's write. Such a column names the columns that told it, and holds
 * which of them did for each event, and what they did not tell.
 */
const TOLD = 4;

/** What others told in so few need not be tried otherwise. */
const FEW_BYTES = 16;

const EXACT_DIFFERENCE = 2 ** 51;

/** Columns one column can name. */
const MOST_TELLERS = 8;

/** A field by its kind. */
type FieldName = { readonly [K in EventKind]: `${K}.${keyof EventOf<K> & string}` }[EventKind];

/** What an event tells without a field: the ticks since the event before. */
const GAP = '.gap';

type Telling = {
  readonly [K in EventKind]?: { readonly [F in keyof EventOf<K>]?: readonly (FieldName | typeof GAP)[] };
};

/** What the last event of a kind said that a field says again. A row more or less costs bytes alone. */
const TOLD_BY: Telling = {
  kvm_exit: { ticks: [GAP] },
  kvm_entry: { rip: ['kvm_exit.guest_rip'] },
  kvm_pio: { val: ['kvm_exit.a0', 'ioctl:KVM_RUN.data'] },
  kvm_mmio: { val: ['memory_region_ops_read.value'] },
  kvm_msr: { data: ['kvm_exit.a1'] },
  kvm_userspace_exit: { data: ['kvm_exit.a0'], addr: ['kvm_exit.gpa'] },
  memory_region_ops_write: {
    value: ['kvm_exit.a0', 'kvm_userspace_exit.data'],
    addr: ['kvm_userspace_exit.addr'],
  },
  memory_region_ops_read: { addr: ['kvm_userspace_exit.addr'] },
  'ioctl:KVM_RUN': { data: ['memory_region_ops_read.value'] },
  'sim:emulated': { rip: ['kvm_exit.guest_rip'], bytes: ['ioctl:KVM_RUN.data'] },
  'sim:msr_set': { data: ['kvm_exit.a1'] },
  'sim:serial_sent': { byte: ['memory_region_ops_write.value'] },
  'sim:timer_fire': { deadline: ['sim:timer_arm.deadline'] },
};

const BY_NAME = TOLD_BY as Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** A field's place in a trace: its kind's, and its own among the kind's fields. */
export interface FieldPlace {
  readonly kind: number;
  readonly field: number;
}

/** A kind with the names of its fields. */
interface Named {
  readonly kind: string;
  readonly fields: readonly (readonly [name: string, type: unknown])[];
}

/** Of each field of a kind, the fields that told it, as far as the trace has them. */
export function tellersOf({ kind, fields }: Named, kinds: readonly Named[]): FieldPlace[][] {
  return fields.map(([name]) =>
    (BY_NAME[kind]?.[name] ?? []).map((teller) => placeOf(teller, kinds)).filter((place) => place !== undefined),
  );
}

function placeOf(teller: string, kinds: readonly Named[]): FieldPlace | undefined {
  if (teller === GAP) return { kind: kinds.length, field: 0 };
  const dot = teller.lastIndexOf('.');
  const kind = kinds.findIndex((each) => each.kind === teller.slice(0, dot));
  const field = kinds[kind]?.fields.findIndex(([name]) => name === teller.slice(dot + 1)) ?? -1;
  return field < 0 ? undefined : { kind, field };
}

/** Kinds by their places, those that tell before those they tell. */
export function inTellingOrder(tellers: readonly FieldPlace[][][]): number[] {
  const ordered = new Set<number>();
  const reached = new Set<number>();
  const visit = (kind: number): void => {
    if (reached.has(kind)) return;
    reached.add(kind);
    for (const teller of tellers[kind]?.flat() ?? []) visit(teller.kind);
    if (kind < tellers.length) ordered.add(kind);
  };
  tellers.forEach((_, kind) => visit(kind));
  return [...ordered];
}

/** A column as others name it: its events' places in the chunk, and what it says in each. */
export interface Teller {
  readonly events: Uint32Array;
  readonly numbers: Numbers;
}

/** By event, what a column said last, in the event itself or before; 0 when it has not said anything yet. */
function lastSaid({ events, numbers }: Teller, rows: Uint32Array): Float64Array {
  const { isConstant, values } = numbers;
  const said = new Float64Array(rows.length);
  let next = 0;
  for (let i = 0; i < rows.length; i += 1) {
    while (next < events.length && events[next]! <= rows[i]!) next += 1;
    if (next > 0) said[i] = values[isConstant ? 0 : next - 1]!;
  }
  return said;
}

/** Where to find what a field, or the higher half of its 64 bits, says in a chunk, once that is known. */
export type TellerAt = (place: FieldPlace) => Teller | undefined;

/** Pack integers of the events at `rows` as the tellers told them, if that is smaller. */
export function writeTold(
  out: ByteWriter,
  values: Float64Array,
  rows: Uint32Array,
  tellers: readonly FieldPlace[],
  tellerAt: TellerAt,
): void {
  const known = isOne(values, rows.length) ? [] : tellers.filter((place) => tellerAt(place) !== undefined);
  const start = out.length;
  if (known.length === 0 || !writeChoices(out, values, rows, known, tellerAt)) {
    out.length = start;
    writeIntegers(out, values, rows.length);
    return;
  }
  const told = out.length - start;
  if (told <= FEW_BYTES) return;
  writeIntegers(out, values, rows.length);
  const plain = out.length - start - told;
  if (plain <= told) out.bytes.copyWithin(start, start + told, out.length);
  out.length = start + Math.min(plain, told);
}

/** Returns whether it could. */
function writeChoices(
  out: ByteWriter,
  values: Float64Array,
  rows: Uint32Array,
  tellers: readonly FieldPlace[],
  tellerAt: TellerAt,
): boolean {
  const said = tellers.map((place) => lastSaid(tellerAt(place) as Teller, rows));
  const choices = new Float64Array(rows.length);
  const others = new Float64Array(rows.length);
  let missed = 0;
  for (let i = 0; i < rows.length; i += 1) {
    const value = values[i]!;
    const choice = 1 + teller(said, i, value);
    choices[i] = choice;
    if (choice !== 0) continue;
    const other = value - said[0]![i]!;
    if (!(Math.abs(other) < EXACT_DIFFERENCE)) return false;
    others[missed++] = other;
  }
  writeVarint(out, TOLD);
  writeVarint(out, tellers.length);
  for (const { kind, field } of tellers) {
    writeVarint(out, kind);
    writeVarint(out, field);
  }
  writeIntegers(out, choices, rows.length);
  if (missed > 0) writeIntegers(out, others, missed);
  return true;
}

/** Which of the columns says this here; -1: none. */
function teller(said: readonly Float64Array[], at: number, value: number): number {
  for (let i = 0; i < said.length; i += 1) if (said[i]![at] === value) return i;
  return -1;
}

/** What `writeTold` packed. */
export function readTold(input: ByteReader, rows: Uint32Array, tellerAt: TellerAt): Numbers {
  const tag = input.varint();
  if (tag !== TOLD) return readNumbers(input, tag, rows.length);
  const said = Array.from({ length: checked(input.varint(), 1, MOST_TELLERS) }, () => {
    const teller = tellerAt({ kind: input.varint(), field: input.varint() });
    if (teller === undefined) throw contradiction('a field told by one that comes later');
    return lastSaid(teller, rows);
  });
  const values = new Float64Array(rows.length);
  readIntegers(input, values, rows.length);
  let missed = 0;
  for (const choice of values) if (checked(choice, 0, said.length) === 0) missed += 1;
  const others = new Float64Array(missed);
  if (missed > 0) readIntegers(input, others, missed);
  let next = 0;
  for (let i = 0; i < rows.length; i += 1) {
    const choice = values[i]!;
    values[i] = choice === 0 ? said[0]![i]! + others[next++]! : said[choice - 1]![i]!;
  }
  return { isConstant: false, values };
}

function checked(value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw contradiction('a choice that there is not');
}
