import type { FloatEnvironment } from './environment.ts';

/** One instruction's operands: addresses in `memory` (register slots or scratch), result to `out`, 16 bytes. */
export interface SseOperands {
  readonly env: FloatEnvironment;
  readonly memory: DataView;
  readonly destination: number;
  readonly source: number;
  readonly immediate: number;
  /** Bytes of a general register or memory integer in conversions: 4 or 8. */
  readonly width: number;
  readonly out: DataView;
}

/** What an instruction computes, and how many bytes of `out` its destination takes (0: the answer is RFLAGS). */
export interface SseOperation {
  readonly bytes: number;
  readonly compute: (o: SseOperands) => number;
}
