import type { Effects } from '../device.ts';
import { isBusMaster, type PciBar, placeOfBar } from '../pci/index.ts';
import { MMIO_BYTES } from './registers.ts';
import type { E1000State } from './state.ts';

/** BAR 0. */
export const REGISTERS_BAR: PciBar = { index: 0, region: 0, space: 'memory', size: MMIO_BYTES };

type Way = 'dmaRead' | 'packetPayload';

/**
 * Bytes of memory as the controller reads them: zeroes where nobody answers, where it may not ask, and where its own
 * registers are, which QEMU does not reach while they are served.
 */
export function readMemory(state: E1000State, effects: Effects, gpa: number, length: number, way: Way): Uint8Array {
  if (!isBusMaster(state)) return new Uint8Array(length);
  const bytes = new Uint8Array(length);
  for (const [from, to] of reachable(state, gpa, length)) bytes.set(effects[way](from, to - from), from - gpa);
  return bytes;
}

/** Bytes a fact has told. */
export function writeMemory(state: E1000State, effects: Effects, gpa: number, bytes: Uint8Array): void {
  if (!isBusMaster(state)) return;
  for (const [from, to] of reachable(state, gpa, bytes.length)) {
    effects.dmaTold(from, bytes.subarray(from - gpa, to - gpa));
  }
}

/** Beyond the widest physical address there is no memory, and numbers are not exact. */
const LAST_ADDRESS = 2 ** 52;

/** What of a range lies before and behind the controller's own registers. */
function reachable(state: E1000State, gpa: number, length: number): (readonly [from: number, to: number])[] {
  const own = placeOfBar(state, REGISTERS_BAR) ?? -MMIO_BYTES;
  const end = Math.min(gpa + length, LAST_ADDRESS);
  const parts = [
    [gpa, Math.min(end, own)],
    [Math.max(gpa, own + MMIO_BYTES), end],
  ] as const;
  return parts.filter(([from, to]) => from < to);
}
