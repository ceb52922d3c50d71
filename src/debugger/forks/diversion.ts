import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { startForkTrace } from '../../runs/forks/fork-run.ts';
import { forkedFrom, isOfTheWorld } from '../../runs/run-inputs.ts';
import type { RecordedRun } from '../../runs/recorded/recorded-run.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../machine/checkpoint.ts';
import { type Intervention, interventionEvent } from '../../machine/intervene.ts';
import { createMachine } from '../../machine/machine.ts';
import type { InputEvent, MachineParts, PendingInput } from '../../machine/parts.ts';
import { createTimeline, type Mark, type Timeline, type TimelineParts } from '../../replay/timeline.ts';
import { type GuestView, readLinear } from '../../machine/guest-view.ts';
import { type Ground, LONGEST_INSTRUCTION } from './ground.ts';
import { createTraveller } from '../travel/traveller.ts';

/** A clone of a run that was changed at a mark and goes on by itself. The run it came from stays as it is. */
export interface Diversion extends Ground {
  readonly parent: Ground;
  readonly at: Mark;
  /** What was changed, as it may be typed after `--set`. */
  readonly said: readonly string[];
  /** Change it where it stands, which is its end. */
  change(intervention: Intervention, said: string): void;
}

/** Build the run's machine once more. */
export type Build = (parts: TimelineParts) => MachineParts;

const MOST_EVENTS = 1_000_000;
const HELD_BYTES = 2 ** 28;

const isTripleFault = ({ event }: Stamped): boolean =>
  event.kind === 'kvm_exit' && (event.exit_reason & EXIT_REASON.BASIC) === EXIT.TRIPLE_FAULT;

/** Leave a run, recorded at `path` if it is, where it stands. */
export function divert(
  build: Build,
  path: string | undefined,
  parent: Ground,
  saidBefore: readonly string[],
): Diversion {
  const at = parent.timeline.now;
  const own: Stamped[] = [];
  const said = [...saidBefore];
  const inputs: PendingInput[] = parent
    .inputsFrom(at.seq)
    .filter(isOfTheWorld)
    .map(({ event, ns }) => ({ event, ...(ns === undefined ? {} : { ns }) }));
  // A run without an end would fill memory, and after a triple fault there is nothing but resets.
  let last = at.seq + MOST_EVENTS;
  const { timeline, view } = cloned(build, parent.timeline, inputs, (stamped) => {
    own[stamped.seq - at.seq] = stamped;
    if (isTripleFault(stamped)) last = Math.min(last, stamped.seq);
  });
  takeInput(timeline, inputs, forkedFrom(path));
  const traveller = createTraveller({
    timeline,
    firstTick: at.tick,
    get lastSeq() {
      return last;
    },
    lastTick: Number.POSITIVE_INFINITY,
    code: (vcpu, linear) => readLinear(view, vcpu, linear, LONGEST_INSTRUCTION),
  });
  return {
    view,
    timeline,
    traveller,
    parent,
    at,
    said,
    firstTick: at.tick,
    get lastTick() {
      return timeline.end.tick;
    },
    get endSeq() {
      return at.seq + own.length;
    },
    event: (seq) => (seq < at.seq ? parent.event(seq) : own[seq - at.seq]),
    inputsFrom: () => inputs.filter(({ ns = 0 }) => ns >= timeline.machine.now()),
    change(intervention, words) {
      said.push(words);
      takeInput(timeline, inputs, interventionEvent(intervention));
    },
  };
}

/** Put an input before all others, and let the machine have it where it stands. */
function takeInput(timeline: Timeline, inputs: PendingInput[], event: InputEvent): void {
  inputs.unshift({ event });
  timeline.advance({ tick: timeline.now.tick });
}

/** The same machine once more, with a timeline that begins at this moment. */
function cloned(
  build: Build,
  of: Timeline,
  inputs: PendingInput[],
  onEvent: (stamped: Stamped) => void,
): { readonly timeline: Timeline; readonly view: GuestView } {
  const checkpoint = takeCheckpoint(of.machine);
  const timeline = createTimeline({
    build(parts) {
      const machine = createMachine(build(parts));
      restoreCheckpoint(machine, checkpoint);
      return machine;
    },
    inputs: { peek: () => inputs[0], take: () => void inputs.shift() },
    onEvent(stamped) {
      if (stamped.seq >= checkpoint.seq) onEvent(stamped);
    },
    heldBytes: HELD_BYTES,
  });
  timeline.forget();
  return { timeline, view: { machine: timeline.machine } };
}

/** Write it to a trace of its own that names its parent. */
export function saveDiversion(path: string, run: RecordedRun, { at, said, endSeq, event }: Diversion): void {
  const file = startForkTrace({ run, place: String(at.tick), said: said.join('; '), trace: path });
  try {
    for (let seq = 0; seq < endSeq; seq += 1) {
      const stamped = event(seq);
      if (stamped === undefined) throw new Problem(`Event ${seq} is missing: the trace is cut.`);
      file.writer.append(stamped);
    }
  } catch (error) {
    file.drop();
    throw error;
  }
  file.close();
}
