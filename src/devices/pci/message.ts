/** What message-signalled interrupts by MSI and by MSI-X have in common. */

/** A write to memory that is an interrupt. */
export interface Message {
  readonly address: bigint;
  readonly data: number;
}

/** No event. */
export const NO_CAUSE = -1;
