import type { Stamped } from '../events/stamped.ts';
import { quantumOf } from '../machine/loop.ts';
import { createMachine, type Machine } from '../machine/machine.ts';
import { createTimeline } from '../replay/timeline.ts';
import { recordedInputs } from '../replay/verify.ts';
import { assemble } from './assemble.ts';
import type { RecordedRun } from './recorded-run.ts';

/** A turn a vCPU was given, and for how long. */
export interface TurnDrawn {
  readonly vcpu: number;
  /** When it began. */
  readonly tick: number;
  /** Ticks it may last. */
  readonly quantum: number;
  /** Which number of the stream it was, from 1. */
  readonly draw: number;
}

/** The turn under way when an event was raised, found by running the run again up to there. */
export function turnBefore(run: RecordedRun, event: Stamped): TurnDrawn | undefined {
  const { events } = run.read;
  let machine: Machine | undefined;
  let last: TurnDrawn | undefined;
  const timeline = createTimeline({
    build(parts) {
      const assembled = assemble({ ...run, ...parts }).parts;
      const { chance } = assembled;
      machine = createMachine({
        ...assembled,
        chance: {
          start: chance.start,
          int32(state) {
            const drawn = chance.int32(state);
            if (machine?.state.random.scheduler !== state) return drawn;
            const { schedule, clock } = machine.state;
            const draw = (last?.draw ?? 0) + 1;
            if (schedule.seq <= event.seq)
              last = { vcpu: schedule.turn, tick: clock.ticks, quantum: quantumOf(drawn), draw };
            return drawn;
          },
        },
      });
      return machine;
    },
    inputs: recordedInputs(events, run.description.nsPerTick),
    onEvent: () => undefined,
    onRequest: () => undefined,
    every: Number.MAX_SAFE_INTEGER,
  });
  timeline.seek({ seq: event.seq, tick: event.tick });
  return last;
}
