import type { Seq, Tick } from '../base/units.ts';
import { sourceName, type Stamped } from '../events/stamped.ts';
import { briefOf } from './export/brief.ts';

/** The first place where a replay differs from its trace. */
export interface Divergence {
  readonly seq: Seq;
  readonly tick: Tick;
  /** The field that differs: `event.a0`, `tick`, `event.kind`; `events` when one side has no more. */
  readonly field: string;
  readonly recorded: unknown;
  readonly replayed: unknown;
  /** The events before and the two that differ. */
  readonly before: readonly Stamped[];
  readonly recordedEvent: Stamped | undefined;
  readonly replayedEvent: Stamped | undefined;
}

/** Fields that are not compared, as `kind.field`. */
export type Ignored = ReadonlySet<string>;

/** The first field in which two events with their envelopes differ. */
export function differingField(recorded: Stamped, replayed: Stamped, ignored: Ignored): string | undefined {
  if (recorded.event.kind !== replayed.event.kind) return 'event.kind';
  if (recorded.tick !== replayed.tick) return 'tick';
  if (recorded.source !== replayed.source) return 'source';
  if (recorded.cause !== replayed.cause) return 'cause';
  if (recorded.within !== replayed.within) return 'within';
  const left = recorded.event as unknown as Readonly<Record<string, unknown>>;
  const right = replayed.event as unknown as Readonly<Record<string, unknown>>;
  for (const name in left) {
    if (left[name] === right[name] || ignored.has(`${recorded.event.kind}.${name}`)) continue;
    if (!isSameBytes(left[name], right[name])) return `event.${name}`;
  }
  return undefined;
}

function isSameBytes(left: unknown, right: unknown): boolean {
  if (!(left instanceof Uint8Array) || !(right instanceof Uint8Array) || left.length !== right.length) return false;
  return left.every((byte, at) => right[at] === byte);
}

/** The value at a field path of `differingField`. */
export function fieldOf(stamped: Stamped | undefined, field: string): unknown {
  if (stamped === undefined) return undefined;
  const name = field.startsWith('event.') ? field.slice(6) : field;
  const owner = field.startsWith('event.') ? stamped.event : stamped;
  return (owner as unknown as Readonly<Record<string, unknown>>)[name];
}

/** A divergence as a person reads it: the sentence, the context and both events. */
export function describeDivergence(divergence: Divergence): string {
  const { seq, tick, field, recorded, replayed, before, recordedEvent, replayedEvent } = divergence;
  const values = `recorded ${printable(recorded)}, replayed ${printable(replayed)}`;
  const lines = [`The replay differs from the trace at event ${seq}, tick ${tick}, in ${field}: ${values}.`];
  for (const stamped of before) lines.push(`    ${describeStamped(stamped)}`);
  lines.push(`  - ${recordedEvent === undefined ? '(the trace has no more events)' : describeStamped(recordedEvent)}`);
  lines.push(
    `  + ${replayedEvent === undefined ? '(the replay raised no more events)' : describeStamped(replayedEvent)}`,
  );
  return lines.join('\n');
}

/** One event with its envelope, in one line. */
export const describeStamped = ({ seq, tick, source, event }: Stamped): string =>
  `#${seq} tick ${tick} ${sourceName(source)} ${event.kind}: ${briefOf(event)}`;

function printable(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return `${value.length} bytes [${[...value.subarray(0, 16)].join(' ')}]`;
  return value === undefined ? 'nothing' : String(value);
}
