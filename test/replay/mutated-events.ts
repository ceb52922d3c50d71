import type { FieldType } from '../../src/events/schema.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { type EventKind, type MachineEvent, VOCABULARY } from '../../src/events/vocabulary.ts';
import { ABSENT } from '../../src/replay/trace/reader.ts';

/** Numbers of one seed. */
export interface Draw {
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
}

/** A stream of chance that draws. */
export const drawing = (chance: () => number): Draw => {
  const below = (limit: number): number => Math.floor(chance() * limit);
  return { below, pick: (from) => from[below(from.length)] as (typeof from)[number] };
};

/** Events that nobody has raised, and what was done to make them. */
export interface Mutated {
  readonly events: readonly Stamped[];
  readonly how: string;
}

type Values = Record<string, unknown>;

const BORDERS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  15,
  16,
  23,
  24,
  31,
  32,
  63,
  64,
  127,
  255,
  256,
  511,
  512,
  4095,
  4096,
  65535,
  2 ** 16,
];
const LARGE = [2 ** 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 51, 2 ** 53 - 1];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'length',
  '',
  '.',
  '\x1b[2J',
  'kvm-',
  'kvm-lapic-9',
];
const fieldsOf = (kind: EventKind): [string, FieldType][] => Object.entries(VOCABULARY[kind].fields) as never;

function number(value: number, draw: Draw): number {
  const kinds = [
    () => draw.pick(BORDERS),
    () => draw.pick(LARGE),
    () => value + draw.pick([1, -1, 8, -8, 4096]),
    () => -draw.pick([1, 2, 4096, 2 ** 31]),
    () => (value ^ (1 << draw.below(32))) >>> 0,
  ];
  return draw.pick(kinds)();
}

function wide(value: bigint, draw: Draw): bigint {
  const kinds = [
    () => 0n,
    () => 2n ** 64n - 1n,
    () => value ^ (1n << BigInt(draw.below(64))),
    () => BigInt(draw.pick(LARGE)),
  ];
  return draw.pick(kinds)();
}

function text(value: string, draw: Draw): string {
  const kinds = [
    () => draw.pick(NAMES),
    () => value.replace(/\d+/, String(draw.pick([...BORDERS, ...LARGE]))),
    () => 'x'.repeat(70_000),
    () => `${value}.${value}`,
    () => `kvm.${draw.pick(['vcpus.length', 'vcpus', 'vm.slots', 'files.length', 'ept.tables', 'timers.__proto__'])}`,
  ];
  return draw.pick(kinds)();
}

function bytes(value: Uint8Array, draw: Draw): Uint8Array {
  const kinds = [
    () => new Uint8Array(0),
    () => new Uint8Array(draw.pick([1, 7, 8, 1000, 70_000])).fill(draw.below(256)),
    () => value.slice(0, draw.below(value.length + 1)),
    () => value.map((byte) => (draw.below(4) === 0 ? draw.below(256) : byte)),
  ];
  return draw.pick(kinds)();
}

/** Another value of a field's type, or one that its type does not allow. */
function other(type: FieldType, value: unknown, draw: Draw): unknown {
  switch (type) {
    case 'u':
    case 'i':
      return number(value as number, draw);
    case 'u64':
      return wide(value as bigint, draw);
    case 'text':
      return text(value as string, draw);
    case 'bytes':
    case 'packet':
      return bytes(value as Uint8Array, draw);
    case 'bool':
      return value !== true;
  }
}

/** An event of any kind, with fields of chance. */
function anyEvent(draw: Draw): MachineEvent {
  const kind = draw.pick(Object.keys(VOCABULARY) as EventKind[]);
  const fields = fieldsOf(kind).map(([name, type]) => [
    name,
    draw.below(3) === 0 ? ABSENT[type] : other(type, ABSENT[type], draw),
  ]);
  return { kind, ...Object.fromEntries(fields) } as MachineEvent;
}

/** A place among the events: rare kinds as often as common ones. */
function anyPlace(events: readonly Stamped[], draw: Draw): number {
  if (draw.below(2) === 0) return draw.below(events.length);
  const kinds = [...new Set(events.map(({ event }) => event.kind))];
  const kind = draw.pick(kinds);
  const places = events.flatMap(({ event }, at) => (event.kind === kind ? [at] : []));
  return draw.pick(places);
}

function withField(stamped: Stamped, draw: Draw): { stamped: Stamped; name: string } {
  const fields = fieldsOf(stamped.event.kind);
  if (fields.length === 0) return { stamped, name: 'nothing' };
  const [name, type] = draw.pick(fields);
  const value = (stamped.event as unknown as Values)[name];
  return {
    stamped: { ...stamped, event: { ...stamped.event, [name]: other(type, value, draw) } as MachineEvent },
    name,
  };
}

/** The place of an event in its run and among the others, or who it comes from. */
function withEnvelope(stamped: Stamped, draw: Draw): Stamped {
  const { seq, tick } = stamped;
  const changes: readonly Partial<Stamped>[] = [
    { tick: number(tick, draw) },
    { source: number(stamped.source, draw) },
    { cause: number(seq, draw) },
    { within: number(seq, draw) },
  ];
  return { ...stamped, ...draw.pick(changes) };
}

const renumbered = (events: readonly Stamped[]): Stamped[] => events.map((stamped, seq) => ({ ...stamped, seq }));

type Mutation = (events: readonly Stamped[], at: number, draw: Draw) => readonly Stamped[];

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a field': (events, at, draw) => events.with(at, withField(events[at] as Stamped, draw).stamped),
  'a field again': (events, at, draw) => events.with(at, withField(events[at] as Stamped, draw).stamped),
  'a field and more of them': (events, at, draw) => {
    let { stamped } = withField(events[at] as Stamped, draw);
    for (let more = 0; more < 3; more += 1) stamped = withField(stamped, draw).stamped;
    return events.with(at, stamped);
  },
  'an envelope': (events, at, draw) => events.with(at, withEnvelope(events[at] as Stamped, draw)),
  'an event of another kind': (events, at, draw) =>
    events.with(at, { ...(events[at] as Stamped), event: anyEvent(draw) }),
  'an event more': (events, at, draw) =>
    renumbered(events.toSpliced(at, 0, { ...(events[at] as Stamped), event: anyEvent(draw) })),
  'an event less': (events, at) => renumbered(events.toSpliced(at, 1)),
  'an event twice': (events, at) => renumbered(events.toSpliced(at, 0, events[at] as Stamped)),
  'two events in the other order': (events, at) =>
    at === 0 ? events : renumbered(events.toSpliced(at - 1, 2, events[at] as Stamped, events[at - 1] as Stamped)),
  'a gap': (events, at) => events.map((stamped, i) => (i < at ? stamped : { ...stamped, seq: stamped.seq + 5 })),
};

/** One to three things are wrong with the events of a run. */
export function mutatedEvents(events: readonly Stamped[], draw: Draw): Mutated {
  let changed = events;
  const how: string[] = [];
  for (let left = draw.pick([1, 1, 1, 2, 3]); left > 0; left -= 1) {
    const name = draw.pick(Object.keys(MUTATIONS));
    const at = anyPlace(changed, draw);
    const before = changed;
    changed = (MUTATIONS[name] as Mutation)(changed, at, draw);
    how.push(`${name} at ${at} (${before[at]?.event.kind} -> ${shortly(changed[at])})`);
  }
  return { events: changed, how: how.join(', ') };
}

const shortly = (stamped: Stamped | undefined): string =>
  JSON.stringify(stamped, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value instanceof Uint8Array ? `${value.length} bytes` : value,
  )?.slice(0, 300) ?? 'nothing';
