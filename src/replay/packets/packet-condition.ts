import { FLOW_FIELDS, PACKET_NAMES } from '../../packets/dissect/fields-table.ts';
import { fieldsOf, fieldValue, packetValue } from '../expression/event-scope.ts';
import { holds, parseExpression, type Scope } from '../expression/expression.ts';
import type { Value } from '../expression/operators.ts';
import type { PacketTold } from './packet-reader.ts';

/** What a packet has besides its event's fields and its own. */
const BESIDES: Readonly<Record<string, (told: PacketTold) => Value>> = {
  ns: ({ ns }) => BigInt(ns),
  peer: ({ peers }) => (peers.length > 1 ? peers : peers[0]),
};

const IN_PACKET: ReadonlySet<string> = new Set([...PACKET_NAMES, ...Object.keys(FLOW_FIELDS)]);

const NAMES = {
  fields: new Set([...fieldsOf(['sim:packet_sent']), ...IN_PACKET, ...Object.keys(BESIDES)]),
  hasSymbol: () => false,
  registers: undefined,
  changes: false,
} as const;

const unseen = (): never => {
  throw new Error('a condition about packets alone looks at a machine');
};

function meaning(told: PacketTold, name: string): Value {
  if (IN_PACKET.has(name)) return packetValue(told.dissected.valuesOf(name));
  return Object.hasOwn(BESIDES, name) ? BESIDES[name]!(told) : fieldValue(told.stamped, name);
}

/** A question to ask of each packet. Throws a Problem when the condition cannot be read. */
export function packetCondition(text: string): (told: PacketTold) => boolean {
  const expression = parseExpression(text, NAMES);
  return (told) => {
    const scope: Scope = { register: unseen, memory: unseen, symbol: unseen, field: (name) => meaning(told, name) };
    return holds(expression, scope);
  };
}
