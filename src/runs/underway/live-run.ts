import type { Seq, Tick } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type Intervention, interventionEvent } from '../../machine/intervene.ts';
import { createMachine } from '../../machine/machine.ts';
import type { InputEvent, MachineParts, PendingInput } from '../../machine/parts.ts';
import { createTimeline, type Timeline, type TimelineParts } from '../../replay/timeline.ts';
import { type ExpectedInputs, taken as deliver } from './expected-inputs.ts';
import { isDelivered } from '../../replay/trace/trace-inputs.ts';

/** A run under way that a debugger outside the guest can hold, go back in and let go again. */
export interface LiveRun {
  readonly timeline: Timeline;
  /** The same machine once more. */
  build(parts: TimelineParts): MachineParts;
  /** Every input taken so far, with its virtual time. */
  readonly taken: readonly PendingInput[];
  /** An event by its number, of the last some ten thousand. */
  event(seq: Seq): Stamped | undefined;
  /** The session leaves the machine alone. */
  isHeld: boolean;
  /** Somebody looks: a run that has ended is kept to be gone back in. */
  isWatched: boolean;
  hasEnded: boolean;
  /** The debugger asked for the run's end. */
  isKilled: boolean;
  /** Asked where the machine met a stop: whether to hold it there. */
  judge: (() => boolean) | undefined;
  /** Where a debugger's step leads: there the session holds the machine again. */
  goal: Goal | undefined;
  /** Change the machine where the run has come to: an input, recorded as one. */
  intervene(intervention: Intervention): void;
  /** Be where the run has come to. */
  toItsEnd(): void;
}

/** A place a run under way is to come to: this vCPU, or any, is about to execute at a tick or later. */
export interface Goal {
  readonly tick: Tick;
  readonly turn?: number;
}

const EVENTS_HELD = 1 << 16;
const HELD_BYTES = 2 ** 29;

/** Build a machine on a timeline. Inputs of the world wait while the past is run again. */
export function startLiveRun(
  build: (parts: TimelineParts) => MachineParts,
  outside: Pick<TimelineParts, 'onEvent'>,
  inputs: PendingInput[],
  expected: ExpectedInputs,
): LiveRun {
  const events: Stamped[] = [];
  const taken: PendingInput[] = [];
  const { timeline, isBehind } = liveTimeline();
  return {
    timeline,
    build,
    taken,
    event(seq) {
      const stamped = events[seq % EVENTS_HELD];
      return stamped?.seq === seq ? stamped : undefined;
    },
    isHeld: false,
    isWatched: false,
    hasEnded: false,
    isKilled: false,
    judge: undefined,
    goal: undefined,
    intervene(intervention) {
      inputs.unshift({ event: interventionEvent(intervention) });
      timeline.advance({ tick: timeline.now.tick });
    },
    toItsEnd() {
      if (isBehind()) timeline.seek(timeline.end);
    },
  };

  function liveTimeline() {
    const isBehindNow = (): boolean => made.now.tick < made.end.tick || made.now.seq < made.end.seq;
    const made: Timeline = createTimeline({
      build: (parts) => createMachine(build(parts)),
      inputs: {
        peek: () => (isBehindNow() ? undefined : (inputs[0] ?? expected.next)),
        take: () => deliver(inputs, expected),
      },
      onEvent(stamped) {
        events[stamped.seq % EVENTS_HELD] = stamped;
        const { seq, tick, event } = stamped;
        if (isDelivered(event.kind)) taken.push({ seq, tick, ns: made.machine.now(), event: event as InputEvent });
        outside.onEvent(stamped);
      },
      heldBytes: HELD_BYTES,
    });
    return { timeline: made, isBehind: isBehindNow };
  }
}
