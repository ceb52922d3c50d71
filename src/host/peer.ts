/** Whoever is at the other end of a socket or a pseudo terminal: one at a time, and perhaps nobody. */
export interface Peer {
  /** Where it can be reached, or is. */
  readonly where: string;
  readonly isHere: boolean;
  /** It reads more slowly than the guest prints. */
  readonly isBehind: boolean;
  /** Bytes since the last call. What is not taken is not read further. */
  take(): Uint8Array[];
  /** What is said to nobody is lost, as on a line without a terminal. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Bytes kept for a peer that reads slowly, and of one that writes fast. */
export const MOST_KEPT = 1 << 16;
