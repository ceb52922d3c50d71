import { sourceName, type Stamped } from '../events/stamped.ts';
import { VOCABULARY } from '../events/vocabulary.ts';

/** The text of an event's fields, as the kernel's TP_printk or QEMU's -trace prints it. */
export function fieldsText({ event }: Stamped): string {
  const row = VOCABULARY[event.kind] as { readonly print: (e: unknown) => string };
  return row.print(event);
}

const SOURCE_WIDTH = 16;
const TICK_WIDTH = 12;
const NAME_WIDTH = 22;

/** One line as `trace-cmd report` prints it: task, CPU, time (ticks here), event, fields. */
export function eventLine(stamped: Stamped): string {
  const { tick, source, event } = stamped;
  const cpu = 'vcpu_id' in event && typeof event.vcpu_id === 'number' ? event.vcpu_id : 0;
  const task = sourceName(source).padStart(SOURCE_WIDTH);
  const name = `${event.kind}:`.padEnd(NAME_WIDTH);
  const place = `[${String(cpu).padStart(3, '0')}] ${String(tick).padStart(TICK_WIDTH)}`;
  return `${task} ${place}: ${name} ${fieldsText(stamped)}`;
}

/** The same as one line of JSON: 64-bit fields as 0x text, bytes as hexadecimal. */
export function eventJson({ seq, tick, source, cause, event }: Stamped): string {
  return JSON.stringify({ seq, tick, source: sourceName(source), cause, ...event }, (_, value: unknown) => {
    if (typeof value === 'bigint') return `0x${value.toString(16)}`;
    if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return value;
  });
}
