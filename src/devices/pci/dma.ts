/** Memory as a function reaches it. */
import type { Effects } from '../device.ts';
import { isBusMaster, type PciBar, type PciFunctionState, placeOfBar } from './function.ts';

type Way = 'dmaRead' | 'packetPayload';

/** What a function reads and writes of memory. */
export interface Dma {
  /**
   * Bytes as the function reads them: zeroes where nobody answers, where it may not ask, and where its own registers
   * are, which QEMU does not reach while they are served.
   */
  read(state: PciFunctionState, effects: Effects, gpa: number, length: number, way: Way): Uint8Array;
  /** Bytes a fact has told. */
  write(state: PciFunctionState, effects: Effects, gpa: number, bytes: Uint8Array): void;
}

/** Of a function whose registers are in this BAR. */
export const dmaBeside = (own: PciBar): Dma => ({
  read(state, effects, gpa, length, way) {
    const bytes = new Uint8Array(length);
    if (!isBusMaster(state)) return bytes;
    for (const [from, to] of reachable(state, own, gpa, length)) bytes.set(effects[way](from, to - from), from - gpa);
    return bytes;
  },
  write(state, effects, gpa, bytes) {
    if (!isBusMaster(state)) return;
    for (const [from, to] of reachable(state, own, gpa, bytes.length)) {
      effects.dmaTold(from, bytes.subarray(from - gpa, to - gpa));
    }
  },
});

/** Beyond the widest physical address there is no memory, and numbers are not exact. */
const LAST_ADDRESS = 2 ** 52;

/** What of a range lies before and behind the function's own registers. */
function reachable(
  state: PciFunctionState,
  bar: PciBar,
  gpa: number,
  length: number,
): (readonly [from: number, to: number])[] {
  const own = placeOfBar(state, bar) ?? -bar.size;
  const end = Math.min(gpa + length, LAST_ADDRESS);
  const parts = [
    [gpa, Math.min(end, own)],
    [Math.max(gpa, own + bar.size), end],
  ] as const;
  return parts.filter(([from, to]) => from < to);
}
