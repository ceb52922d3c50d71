import { onOneLine } from '../../base/printable.ts';
import type { EventRow, Fields } from '../../events/schema.ts';
import { type MachineEvent, VOCABULARY } from '../../events/vocabulary.ts';

/** An event's text, as the kernel's TP_printk or QEMU's -trace prints it after its name: one line. */
export function textOf(event: MachineEvent): string {
  const row = VOCABULARY[event.kind] as unknown as EventRow<Fields>;
  return onOneLine(row.print(event as never));
}
