import type { Stamped } from '../events/stamped.ts';
import type { Machine } from '../reducers/machine.ts';
import type { InputSource, MachineParts } from '../reducers/parts.ts';
import { createVerifier, recordedInputs, type Replayed, replayTo } from './verify.ts';
import { TapeEnded, tapeEngine } from './tape.ts';

/** What a fold knows nothing of: guest memory. */
const UNKNOWN_TO_A_FOLD: ReadonlySet<string> = new Set(['sim:digest.memory']);

/** A folded run: the machine at its end, without guest memory, and whether its events came out as recorded. */
export interface Folded extends Replayed {
  readonly machine: Machine;
}

/** What a fold puts in place of a live machine's parts. */
export type TapeParts = Pick<MachineParts, 'engine' | 'onEvent'> & { readonly inputs: InputSource };

/**
 * Rebuild hypervisor and device state from recorded events alone: the same machine, with a tape in place of the
 * processor. `build` composes it from the parts given and whatever the run was configured with.
 */
export function fold(recorded: readonly Stamped[], build: (parts: TapeParts) => Machine, nsPerTick = 8): Folded {
  const verifier = createVerifier(recorded, UNKNOWN_TO_A_FOLD);
  const machine = build({
    engine: (time) => tapeEngine(recorded, time),
    inputs: recordedInputs(recorded, nsPerTick),
    onEvent: verifier.check,
  });
  try {
    return { machine, ...replayTo(machine, recorded, verifier) };
  } catch (ended) {
    if (!(ended instanceof TapeEnded)) throw ended;
    return { machine, agreed: verifier.agreed, divergence: verifier.divergence };
  }
}
