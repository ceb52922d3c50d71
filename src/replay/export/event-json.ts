import { hexadecimal } from '../../base/bytes.ts';
import { sourceName, type Stamped } from '../../events/stamped.ts';

/** A field as JSON has it: 64-bit ones as 0x text, bytes as hexadecimal. */
export function plainField(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return value instanceof Uint8Array ? hexadecimal(value) : value;
}

/** One event as one line of JSON. */
export const eventJson = ({ seq, tick, source, cause, within, event }: Stamped): string =>
  JSON.stringify({ seq, tick, source: sourceName(source), cause, within, ...event }, (_, value) => plainField(value));
