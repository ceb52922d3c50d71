import { sourceName, type Stamped } from '../../events/stamped.ts';

/** One event as one line of JSON: 64-bit fields as 0x text, bytes as hexadecimal. */
export function eventJson({ seq, tick, source, cause, within, event }: Stamped): string {
  return JSON.stringify({ seq, tick, source: sourceName(source), cause, within, ...event }, (_, value: unknown) => {
    if (typeof value === 'bigint') return `0x${value.toString(16)}`;
    if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return value;
  });
}
