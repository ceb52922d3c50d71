import type { Stamped } from '../../events/stamped.ts';
import { bytesFields, type MachineEvent } from '../../events/vocabulary.ts';

/**
 * An event as others may have it: frozen, and with bytes of its own where it has any, so that whatever is done to it
 * nobody else sees.
 */
export function shown(stamped: Stamped): Stamped {
  const names = bytesFields(stamped.event.kind);
  if (names.length === 0) {
    Object.freeze(stamped.event);
    return Object.freeze(stamped);
  }
  const event = { ...stamped.event } as Record<string, unknown>;
  for (const name of names) event[name] = (event[name] as Uint8Array).slice();
  return Object.freeze({ ...stamped, event: Object.freeze(event) as unknown as MachineEvent });
}
