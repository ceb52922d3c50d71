import type { Stamped } from '../events/stamped.ts';
import type { Machine } from '../machine/machine.ts';
import type { InputSource, MachineParts } from '../machine/parts.ts';
import type { Divergence } from './divergence.ts';
import { TapeEnded, tapeEngine, TapeMismatch } from './tape.ts';
import { createVerifier, divergenceAt, recordedInputs, type Replayed, replayTo, type Verifier } from './verify.ts';

/** What a fold knows nothing of: guest memory, and the contents of images. */
const UNKNOWN_TO_A_FOLD: ReadonlySet<string> = new Set(['sim:digest.memory', 'sim:dma.digest']);

/** A folded run: the machine at its end, without guest memory, and whether its events came out as recorded. */
export interface Folded extends Replayed {
  /** `undefined` only beside a divergence: not even the power-on could be folded. */
  readonly machine: Machine | undefined;
}

/** What a fold puts in place of a live machine's parts. */
export type TapeParts = Pick<MachineParts, 'engine' | 'onEvent'> & { readonly inputs: InputSource };

/**
 * Rebuild hypervisor and device state from recorded events alone: the same machine, with a tape in place of the
 * processor. `build` composes it from the parts given and whatever the run was configured with.
 */
export function fold(recorded: readonly Stamped[], build: (parts: TapeParts) => Machine, nsPerTick = 8): Folded {
  const verifier = createVerifier(recorded, UNKNOWN_TO_A_FOLD);
  let machine: Machine | undefined;
  try {
    machine = build({
      engine: (time) => tapeEngine(recorded, time),
      inputs: recordedInputs(recorded, nsPerTick),
      onEvent: verifier.check,
    });
    return { machine, ...replayTo(machine, recorded, verifier) };
  } catch (stopped) {
    return { machine, agreed: verifier.agreed, divergence: whyStopped(stopped, recorded, verifier) };
  }
}

/**
 * The verifier's first divergence explains whatever followed. Without one, the hypervisor asked for what the
 * processor did not answer there, or the tape is at its end, which is none.
 */
function whyStopped(stopped: unknown, recorded: readonly Stamped[], verifier: Verifier): Divergence | undefined {
  if (verifier.divergence !== undefined) return verifier.divergence;
  if (stopped instanceof TapeEnded) return undefined;
  if (!(stopped instanceof TapeMismatch)) throw stopped;
  const divergence = divergenceAt(recorded, stopped.at, 'event.kind', undefined);
  return { ...divergence, field: 'the processor’s answer', replayed: `a question for ${stopped.asked}` };
}
