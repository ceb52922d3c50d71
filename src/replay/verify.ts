import { partitionPoint } from '../base/partition.ts';
import type { Seq } from '../base/units.ts';
import { USUAL_PACE } from '../events/costs.ts';
import type { Stamped } from '../events/stamped.ts';
import type { Machine } from '../machine/machine.ts';
import type { InputEvent, InputSource, PendingInput } from '../machine/parts.ts';
import { eventClock } from './export/report.ts';
import { isDelivered } from './trace/trace-inputs.ts';
import { type Divergence, differingField, fieldOf, type Ignored } from './divergence.ts';

/** Compares a run with a recorded one, event by event, as it happens. */
export interface Verifier {
  /** What the replaying machine's `onEvent` is. */
  check(stamped: Stamped): void;
  readonly divergence: Divergence | undefined;
  /** Events that agreed. */
  readonly agreed: number;
}

const CONTEXT = 5;
const NOTHING: Ignored = new Set();

/**
 * Compare with recorded events, each with the one of its sequence number. What the run raises after they end is not
 * compared.
 */
export function createVerifier(recorded: readonly Stamped[], ignored: Ignored = NOTHING): Verifier {
  const { length } = recorded;
  const recordedAt = recorded.at.bind(recorded);
  const first = recorded[0]?.seq ?? 0;
  let agreed = 0;
  let divergence: Divergence | undefined;
  return {
    check(stamped) {
      const at = stamped.seq - first;
      if (divergence !== undefined || at >= length) return;
      const field = differingField(recordedAt(at)!, stamped, ignored);
      if (field === undefined) agreed += 1;
      else divergence = divergenceAt(recorded, at, field, stamped);
    },
    get divergence() {
      return divergence;
    },
    get agreed() {
      return agreed;
    },
  };
}

/** A recorded event and what stands in its place, with the events before it. */
export function divergenceAt(
  recorded: readonly Stamped[],
  at: number,
  field: string,
  replayed: Stamped | undefined,
): Divergence {
  const expected = recorded[at]!;
  return {
    seq: expected.seq,
    tick: expected.tick,
    field,
    recorded: fieldOf(expected, field),
    replayed: fieldOf(replayed, field),
    before: recorded.slice(Math.max(0, at - CONTEXT), at),
    recordedEvent: expected,
    replayedEvent: replayed,
  };
}

/** The inputs among recorded events, each due before the sequence number it had. */
export function recordedInputs(recorded: Iterable<Stamped>, pace = USUAL_PACE): InputSource {
  const inputs: PendingInput[] = [];
  const clock = eventClock(pace);
  for (const stamped of recorded) {
    const ns = clock.ns(stamped);
    const { seq, tick, event } = stamped;
    if (isDelivered(event.kind)) inputs.push({ seq, tick, ns, event: event as InputEvent });
  }
  return inputsAgain(inputs);
}

/** Inputs delivered again where they were, however often. */
export const inputsAgain = (inputs: readonly PendingInput[]): InputSource => ({
  peek: (seq) => firstInputFrom(inputs, seq),
  take: () => undefined,
});

/** The first recorded input at or after a sequence number. */
export const firstInputFrom = (inputs: readonly PendingInput[], seq: Seq): PendingInput | undefined =>
  inputs[partitionPoint(inputs.length, (at) => (inputs[at]!.seq as number) < seq)];

/** What a replay came to. */
export interface Replayed {
  /** Events that agreed with the trace. */
  readonly agreed: number;
  readonly divergence: Divergence | undefined;
}

/** Events between two looks at whether the replay has diverged. */
const STRIDE = 4096;

/**
 * Run a machine whose inputs are `recordedInputs(recorded)` and whose `onEvent` is the verifier's `check` up to the
 * last recorded event, or to the first divergence.
 */
export function replayTo(machine: Machine, recorded: readonly Stamped[], verifier: Verifier): Replayed {
  const steps = replaySteps(machine, recorded, verifier);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same, a piece of the run at a time. */
export function* replaySteps(
  machine: Machine,
  recorded: readonly Stamped[],
  verifier: Verifier,
): Generator<void, Replayed> {
  const last = recorded.length === 0 ? -1 : recorded[recorded.length - 1]!.seq;
  while (verifier.divergence === undefined && machine.seq <= last) {
    const seq = Math.min(last + 1, machine.seq + STRIDE);
    const before = machine.seq;
    const reason = machine.advance({ seq });
    if (reason.why === 'ended' || (reason.why === 'idle' && machine.seq === before)) break;
    yield;
  }
  const { agreed, divergence } = verifier;
  if (divergence !== undefined || agreed === recorded.length) return { agreed, divergence };
  return { agreed, divergence: divergenceAt(recorded, agreed, 'events', undefined) };
}
