import { hexadecimal } from '../../base/bytes.ts';
import { sourceName, type Stamped, vcpuOf } from '../../events/stamped.ts';
import { VOCABULARY } from '../../events/vocabulary.ts';
import { holds, type Names, parseExpression, type Scope } from './expression.ts';
import type { Value } from './operators.ts';

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

/** Fields of events of these kinds, and what every event has. */
export const fieldsOf = (kinds: Iterable<string>): ReadonlySet<string> =>
  new Set([
    ...Object.keys(ENVELOPE),
    ...[...kinds].flatMap((kind) => Object.keys(VOCABULARY[kind as keyof typeof VOCABULARY]?.fields ?? {})),
  ]);

/** What a name means of an event; undefined: it has no such field. */
export function fieldValue(stamped: Stamped, name: string): Value {
  const { event } = stamped;
  if (!Object.hasOwn(event, name) || name === 'kind') return ENVELOPE[name]?.(stamped);
  const value = (event as unknown as Readonly<Record<string, unknown>>)[name];
  if (typeof value === 'number' || typeof value === 'boolean') return BigInt(value);
  if (value instanceof Uint8Array) return hexadecimal(value);
  return value as Value;
}

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
