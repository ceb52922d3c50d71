import { hexadecimal } from '../../base/bytes.ts';
import { sourceName, type Stamped, vcpuOf } from '../../events/stamped.ts';
import { type EventOf, VOCABULARY } from '../../events/vocabulary.ts';
import { dissect } from '../../packets/dissect/dissect.ts';
import type { PacketValue } from '../../packets/dissect/dissection.ts';
import { PACKET_NAMES } from '../../packets/dissect/fields-table.ts';
import { holds, type Names, parseExpression, type Scope } from './expression.ts';
import type { One, Value } from './operators.ts';

/** What every event has besides its fields. A field of the same name goes first. */
const ENVELOPE: Readonly<Record<string, (stamped: Stamped) => Value>> = {
  seq: ({ seq }) => BigInt(seq),
  tick: ({ tick }) => BigInt(tick),
  cause: ({ cause }) => (cause === undefined ? undefined : BigInt(cause)),
  within: ({ within }) => (within === undefined ? undefined : BigInt(within)),
  source: ({ source }) => sourceName(source),
  vcpu: ({ source }) => (vcpuOf(source) < 0 ? undefined : BigInt(vcpuOf(source))),
  kind: ({ event }) => event.kind,
};

/** The event that has a packet's bytes, and with them all that is in it. */
const PACKET = 'sim:packet_sent';

const namesOf = (kind: string): readonly string[] => [
  ...Object.keys(VOCABULARY[kind as keyof typeof VOCABULARY]?.fields ?? {}),
  ...(kind === PACKET ? PACKET_NAMES : []),
];

/** Fields of events of these kinds, and what every event has. */
export const fieldsOf = (kinds: Iterable<string>): ReadonlySet<string> =>
  new Set([...Object.keys(ENVELOPE), ...[...kinds].flatMap(namesOf)]);

const IS_PACKET_NAME: ReadonlySet<string> = new Set(PACKET_NAMES);

/** Values of a packet's field, for conditions; undefined: it has none. */
export function packetValue(values: readonly PacketValue[]): Value {
  const all: readonly One[] = values.map((value) => (typeof value === 'number' ? BigInt(value) : value));
  return all.length > 1 ? all : all[0];
}

/** What a name means of an event; undefined: it has no such field. */
export function fieldValue(stamped: Stamped, name: string): Value {
  const { event } = stamped;
  if (event.kind === PACKET && IS_PACKET_NAME.has(name)) return inPacket(event, name);
  if (!Object.hasOwn(event, name) || name === 'kind') return ENVELOPE[name]?.(stamped);
  const value = (event as unknown as Readonly<Record<string, unknown>>)[name];
  if (typeof value === 'number' || typeof value === 'boolean') return BigInt(value);
  if (value instanceof Uint8Array) return hexadecimal(value);
  return value as Value;
}

const inPacket = ({ bytes }: EventOf<typeof PACKET>, name: string): Value => packetValue(dissect(bytes).valuesOf(name));

/** Names of events alone: no machine, no symbols. */
const eventNames = (kinds: Iterable<string>): Names => ({
  fields: fieldsOf(kinds),
  hasSymbol: () => false,
  registers: undefined,
  changes: false,
});

const unseen = (): never => {
  throw new Error('an expression about events alone looks at a machine');
};

/**
 * Whether an expression holds of an event of one of these kinds, or of any: a question to ask of each. Throws a Problem
 * when it cannot be read.
 */
export function eventCondition(
  text: string,
  kinds: Iterable<string> = Object.keys(VOCABULARY),
): (stamped: Stamped) => boolean {
  const expression = parseExpression(text, eventNames(kinds));
  return (stamped) => {
    const scope: Scope = {
      register: unseen,
      memory: unseen,
      symbol: unseen,
      field: (name) => fieldValue(stamped, name),
    };
    return holds(expression, scope);
  };
}
