import { Problem, shortly } from '../base/problem.ts';
import { USUAL_PACE } from '../events/costs.ts';
import type { Stamped } from '../events/stamped.ts';
import type { Machine } from '../machine/machine.ts';
import type { InputSource, MachineParts } from '../machine/parts.ts';
import { NO_PAYLOADS, type PayloadSource } from '../memory/payloads.ts';
import type { Divergence } from './divergence.ts';
import { TapeEnded, tapeEngine, TapeMismatch } from './tape.ts';
import { createVerifier, divergenceAt, recordedInputs, type Replayed, replayTo, type Verifier } from './verify.ts';

/** What a rerun knows nothing of: guest memory, and the contents of images. */
const UNKNOWN_TO_A_RERUN: ReadonlySet<string> = new Set([
  'sim:memory_digest.memory',
  'sim:dma.digest',
  'sim:disk_written.digest',
]);

/** A hypervisor run again: the machine at its end, without guest memory, and whether events came out as recorded. */
export interface Rerun extends Replayed {
  /** `undefined` only beside a divergence: not even the power-on came out. */
  readonly machine: Machine | undefined;
}

/** What a rerun puts in place of a live machine's parts. */
export interface TapeParts extends Pick<MachineParts, 'engine' | 'onEvent'> {
  readonly inputs: InputSource;
  readonly payloads: PayloadSource;
}

/** A rerun is told of a payload how long it is, and has zeroes for it: whoever decides by its bytes is found out. */
class BlankPayloads implements PayloadSource {
  private readonly lengths = new Map<string, number>();

  note({ event }: Stamped): void {
    if (event.kind === 'sim:payload_received') this.lengths.set(event.sha256, event.len);
  }

  payload(sha256: string): Uint8Array {
    const length = this.lengths.get(sha256);
    return length === undefined ? NO_PAYLOADS.payload(sha256) : new Uint8Array(length);
  }
}

/**
 * Run the hypervisor and the devices again on what the processor answered: the same machine, with a tape in its place.
 * It verifies that what decided then decides the same now. `build` composes the machine from the parts given and
 * whatever the run was configured with.
 */
export function rerun(recorded: readonly Stamped[], build: (parts: TapeParts) => Machine, pace = USUAL_PACE): Rerun {
  const verifier = createVerifier(recorded, UNKNOWN_TO_A_RERUN);
  const payloads = new BlankPayloads();
  let machine: Machine | undefined;
  try {
    machine = build({
      engine: (time) => tapeEngine(recorded, time, () => verifier.agreed),
      inputs: recordedInputs(recorded, pace),
      payloads,
      onEvent(stamped) {
        payloads.note(stamped);
        verifier.check(stamped);
      },
    });
    return { machine, ...replayTo(machine, recorded, verifier) };
  } catch (stopped) {
    return { machine, agreed: verifier.agreed, divergence: whyStopped(stopped, recorded, verifier) };
  }
}

/** Whoever decides cannot go on from what the processor is said to have answered. */
function impossible(recorded: readonly Stamped[], agreed: number, stopped: unknown): unknown {
  if (stopped instanceof Problem) return stopped;
  const { seq, event } = recorded[Math.max(0, agreed - 1)]!;
  const why = shortly(stopped instanceof Error ? stopped.message : String(stopped));
  return new Problem(
    `After event ${seq}, ${event.kind}, the hypervisor cannot go on (${why}): ` +
      'the trace is damaged, or of another machine than it says.',
  );
}

/**
 * The verifier's first divergence explains whatever followed. Without one, the hypervisor asked for what the
 * processor did not answer there, or the tape is at its end, which is none.
 */
function whyStopped(stopped: unknown, recorded: readonly Stamped[], verifier: Verifier): Divergence | undefined {
  if (verifier.divergence !== undefined) return verifier.divergence;
  if (stopped instanceof TapeEnded) return undefined;
  if (!(stopped instanceof TapeMismatch)) throw impossible(recorded, verifier.agreed, stopped);
  const divergence = divergenceAt(recorded, stopped.at, 'event.kind', undefined);
  return { ...divergence, field: 'the processor’s answer', replayed: `a question for ${stopped.asked}` };
}
