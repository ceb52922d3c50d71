import type { Ns, Seq, Tick } from '../../base/units.ts';
import type { Until } from '../../machine/loop.ts';
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
  /** How far a debugger may let the machine go from where the run has come to, without whoever runs it. */
  near(): Pick<Until, 'ns' | 'seq' | 'gate'>;
}

/** What of a machine that others stand beside is not its own. */
export interface Beside {
  /** Most bytes its checkpoints hold. */
  readonly heldBytes: number;
  /** Virtual time up to which it may run by itself: nothing that others do reaches it before. */
  mayRunTo(): Ns;
  /** Held once it has sent something: from there on others may answer. */
  readonly hasSent: { readonly isHeld: boolean };
}

/** A machine without others. */
export const ALONE: Beside = { heldBytes: 2 ** 29, mayRunTo: () => Infinity, hasSent: { isHeld: false } };

/** A place a run under way is to come to: this vCPU, or any, is about to execute at a tick or later. */
export interface Goal {
  readonly tick: Tick;
  readonly turn?: number;
}

const EVENTS_HELD = 1 << 16;
/** What a step over an exit, an interrupt or a turn of another vCPU costs. */
const NEAR_NS = 1_000_000;
const NEAR_EVENTS = 4096;

/** What comes to a run, and what of it others decide. */
interface LiveSetting extends Beside {
  readonly inputs: PendingInput[];
  readonly expected: ExpectedInputs;
}

/** Build a machine on a timeline. Inputs of the world wait while the past is run again. */
export function startLiveRun(
  build: (parts: TimelineParts) => MachineParts,
  outside: Pick<TimelineParts, 'onEvent'>,
  { inputs, expected, heldBytes, mayRunTo, hasSent }: LiveSetting,
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
      // Who waits for stops has gone there, and would stop on a second way.
      if (isBehind() && this.judge === undefined) timeline.seek(timeline.end);
    },
    near() {
      const { machine } = timeline;
      return { ns: Math.min(machine.now() + NEAR_NS, mayRunTo()), seq: machine.seq + NEAR_EVENTS, gate: hasSent };
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
      heldBytes,
    });
    return { timeline: made, isBehind: isBehindNow };
  }
}
