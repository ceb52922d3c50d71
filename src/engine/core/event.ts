import { INTERRUPTION } from '../../x86/controls.ts';

/** An event to deliver through the IDT. `type` as in VM-entry interruption information. */
export interface GuestEvent {
  readonly type: 'external' | 'nmi' | 'exception' | 'soft-interrupt' | 'soft-exception' | 'privileged-exception';
  readonly vector: number;
  readonly error?: number;
  /** Instruction length, for software events: the pushed rip is after the instruction. */
  readonly length: number;
}

// biome-ignore format: a table
export const EVENT_TYPE = {
  external: 0, nmi: 2, exception: 3, 'soft-interrupt': 4, 'privileged-exception': 5, 'soft-exception': 6,
} as const;

/** Interruption information of an event. SDM Vol. 3, Table 25-18. */
export function interruptionInfo(event: GuestEvent): number {
  const error = event.error === undefined ? 0 : INTERRUPTION.ERROR_CODE;
  return (INTERRUPTION.VALID | error | (EVENT_TYPE[event.type] << 8) | event.vector) >>> 0;
}
