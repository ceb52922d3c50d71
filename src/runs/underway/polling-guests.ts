import type { Stamped } from '../../events/stamped.ts';

/**
 * A reader of a run that notices serial lines on which a guest waits for input without interrupts, by reading their
 * status over and over.
 */
export interface PollingWatch {
  next(stamped: Stamped): void;
  /** The guest has done nothing with this line for a while but ask whether a byte is there. */
  awaits(line: number): boolean;
}

/** COM1 to COM4. */
const BASES = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const LINE_STATUS = 5;
/** LSR: data ready, transmitter holding register empty. Data sheet PC16550D, 8.6.3. */
const DATA_READY = 0x01;
const TRANSMITTER_EMPTY = 0x20;
/** A driver that prints looks once before each byte; one that probes, a few times. */
const POLLS_OF_A_READER = 64;

/** Watch the lines of one machine. */
export function watchPolling(): PollingWatch {
  const polls = BASES.map(() => 0);
  return {
    next({ event }) {
      if (event.kind !== 'memory_region_ops_read' && event.kind !== 'memory_region_ops_write') return;
      if (event.name !== 'serial') return;
      const line = BASES.indexOf(event.addr & ~7);
      if (line < 0) return;
      const asks =
        event.kind === 'memory_region_ops_read' &&
        (event.addr & 7) === LINE_STATUS &&
        (event.value & (DATA_READY | TRANSMITTER_EMPTY)) === TRANSMITTER_EMPTY;
      polls[line] = asks ? polls[line]! + 1 : 0;
    },
    awaits: (line) => (polls[line] ?? 0) >= POLLS_OF_A_READER,
  };
}
