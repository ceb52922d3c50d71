import type { Gpa } from '../../base/units.ts';
import type { VmExit } from '../../x86/guest.ts';
import { GuestExit, GuestFault, MmioNeeded } from './fault.ts';

/** What stopped the dispatch loop. */
export type Stop =
  | { readonly kind: 'none' }
  | { readonly kind: 'fault'; readonly vector: number; readonly error: number }
  | { readonly kind: 'exit'; readonly exit: VmExit }
  | { readonly kind: 'mmio'; readonly gpa: Gpa; readonly length: number };

/** Nothing stopped it but the end of the ticks. */
export const NOTHING: Stop = { kind: 'none' };
/** Internal reason: KVM's emulator needs memory-mapped data. Never seen outside the engine. */
export const MMIO_NEEDED = 0x7fff;

/** The stop a thrown value stands for; anything else is thrown on. */
export function stopOf(thrown: unknown): Stop {
  if (thrown instanceof GuestFault) return { kind: 'fault', vector: thrown.vector, error: thrown.error };
  if (thrown instanceof GuestExit) return { kind: 'exit', exit: thrown.exit };
  if (thrown instanceof MmioNeeded) return { kind: 'mmio', gpa: thrown.gpa, length: thrown.length };
  throw thrown;
}
