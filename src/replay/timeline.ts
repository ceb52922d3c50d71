import type { HostRequest } from '../devices/device.ts';
import type { Stamped } from '../events/stamped.ts';
import { VOCABULARY } from '../events/vocabulary.ts';
import { type Checkpoint, restoreCheckpoint, takeCheckpoint } from '../reducers/checkpoint.ts';
import type { Reason, Until } from '../reducers/loop.ts';
import type { Machine } from '../reducers/machine.ts';
import type { InputEvent, InputSource, MachineParts, PendingInput } from '../reducers/parts.ts';
import { nowNs } from '../reducers/state.ts';
import { firstInputFrom } from './verify.ts';

/** A comparable place in a run. */
export interface Mark {
  readonly seq: number;
  readonly tick: number;
}

/** What a timeline puts around a machine's parts: its inputs and where events and requests go. */
export type TimelineParts = Pick<MachineParts, 'inputs' | 'onEvent' | 'onRequest'>;

/** How a timeline is set up. */
export interface TimelineOptions {
  build(parts: TimelineParts): Machine;
  /** Inputs that are not recorded yet, or of an opened trace. */
  readonly inputs: InputSource;
  /** Events that happen for the first time: the recorder. */
  onEvent(stamped: Stamped): void;
  /** Requests of events that happen for the first time. What is run again asks nothing of the world. */
  onRequest(request: HostRequest): void;
  /** Ticks between checkpoints. */
  readonly every?: number;
}

/** A run one can go back in. Where it stands and how it got there cannot be seen in what it does next. */
export interface Timeline {
  readonly machine: Machine;
  readonly now: Mark;
  /** The furthest it has been. */
  readonly end: Mark;
  readonly checkpoints: readonly Checkpoint[];
  /** Go on: again through what has been, and beyond the end into what has not. */
  advance(until: Until): Reason;
  /** Be at a tick that has been; nearer checkpoints are left on the way so that the next step back is short. */
  seek(tick: number): Mark;
  /**
   * Look at the past in windows, latest first: `look` gets the machine at a window's start and runs it to its end.
   * The first answer other than undefined is returned; the machine stays where `look` left it.
   */
  searchBack<T>(look: (machine: Machine, endTick: number) => T | undefined): T | undefined;
  /** Forget what came after now: the run goes on from here as a fork of what it was. */
  forget(): void;
  /** Every event while `look` runs, first time or again. */
  watching<T>(watch: (stamped: Stamped) => void, look: () => T): T;
}

const TICKS_BETWEEN = 16_000_000;

/** Distances before a sought tick at which checkpoints are left. */
const NEAR = [1 << 20, 1 << 16, 1 << 12, 1 << 8];

interface TimelineState {
  readonly options: TimelineOptions;
  readonly every: number;
  readonly journal: PendingInput[];
  machine: Machine;
  kept: Checkpoint[];
  near: Checkpoint[];
  end: Mark;
  isLive: boolean;
  watch: ((stamped: Stamped) => void) | undefined;
}

/** Build the machine and keep its first moment. */
export function createTimeline(options: TimelineOptions): Timeline {
  const every = options.every ?? TICKS_BETWEEN;
  const state = {
    options,
    every,
    journal: [],
    kept: [],
    near: [],
    end: { seq: 0, tick: 0 },
    isLive: true,
    watch: undefined,
  } as unknown as TimelineState;
  state.machine = options.build({
    inputs: journaledInputs(state),
    onEvent: (stamped) => note(state, stamped),
    onRequest: (request) => {
      if (state.isLive) options.onRequest(request);
    },
  });
  state.kept.push(takeCheckpoint(state.machine));
  return {
    machine: state.machine,
    get now() {
      return markOf(state.machine);
    },
    get end() {
      return state.end;
    },
    get checkpoints() {
      return state.kept;
    },
    advance: (until) => advanceKeeping(state, until),
    seek: (tick) => seek(state, tick),
    searchBack: (look) => searchBack(state, look),
    forget: () => forget(state),
    watching(watch, look) {
      state.watch = watch;
      try {
        return look();
      } finally {
        state.watch = undefined;
      }
    },
  };
}

const markOf = ({ state }: Machine): Mark => ({ seq: state.schedule.seq, tick: state.clock.ticks });

/** Recorded inputs while the past is run again; whatever waits outside once the end is reached. */
function journaledInputs(state: TimelineState): InputSource {
  return {
    peek: (seq) => (seq < state.end.seq ? firstInputFrom(state.journal, seq) : state.options.inputs.peek(seq)),
    take() {
      // An input of the past was taken when it happened.
      if (state.machine.state.schedule.seq >= state.end.seq) state.options.inputs.take();
    },
  };
}

function note(state: TimelineState, stamped: Stamped): void {
  const { seq, tick, event } = stamped;
  state.isLive = seq >= state.end.seq;
  state.watch?.(stamped);
  if (!state.isLive) return;
  state.end = { seq: seq + 1, tick };
  const isInput = VOCABULARY[event.kind].input && event.kind !== 'sim:powered_on';
  if (isInput) state.journal.push({ seq, tick, ns: nowNs(state.machine.state.clock), event: event as InputEvent });
  state.options.onEvent(stamped);
}

/** Advance in strides, leaving a checkpoint after each that reaches new ground. */
function advanceKeeping(state: TimelineState, until: Until): Reason {
  const { machine, every } = state;
  for (;;) {
    const last = state.kept[state.kept.length - 1];
    const stop = last.tick + every;
    const now = machine.state.clock.ticks;
    const isOwnStop = now < stop && stop < (until.tick ?? Number.POSITIVE_INFINITY);
    const reason = machine.advance(isOwnStop ? { ...until, tick: stop } : until);
    const { ticks } = machine.state.clock;
    if (ticks > state.end.tick) state.end = { seq: Math.max(state.end.seq, machine.state.schedule.seq), tick: ticks };
    if (ticks >= stop) keep(state);
    if (reason.why !== 'until' || !isOwnStop || ticks < stop) return reason;
  }
}

function keep(state: TimelineState): void {
  const last = state.kept[state.kept.length - 1];
  state.kept.push(takeCheckpoint(state.machine, last));
  state.kept = thinned(state.kept, state.every);
}

/** Keep the first and ever fewer with age: their number grows with the logarithm of the run. */
export function thinned<C extends { readonly tick: number }>(checkpoints: readonly C[], every: number): C[] {
  const newest = checkpoints[checkpoints.length - 1].tick;
  const kept: C[] = [];
  let after = Number.POSITIVE_INFINITY;
  for (let at = checkpoints.length - 1; at >= 0; at -= 1) {
    const { tick } = checkpoints[at];
    const gap = Math.max(every, 2 ** Math.floor(Math.log2(Math.max(1, (newest - tick) / 8))));
    if (at > 0 && after - tick < gap) continue;
    kept.push(checkpoints[at]);
    after = tick;
  }
  return kept.reverse();
}

function seek(state: TimelineState, tick: number): Mark {
  const { machine } = state;
  const now = machine.state.clock.ticks;
  const from = nearestBefore([...state.kept, ...state.near], tick);
  if (tick < now || from.tick > now) restoreCheckpoint(machine, from);
  const near = state.near.filter((checkpoint) => checkpoint.tick <= tick);
  let before = from;
  for (const distance of NEAR) {
    const stop = tick - distance;
    if (stop <= machine.state.clock.ticks) continue;
    machine.advance({ tick: stop });
    before = takeCheckpoint(machine, before);
    near.push(before);
  }
  state.near = near.slice(-NEAR.length * 2);
  machine.advance({ tick });
  return markOf(machine);
}

function nearestBefore(checkpoints: readonly Checkpoint[], tick: number): Checkpoint {
  let nearest = checkpoints[0];
  for (const checkpoint of checkpoints) {
    if (checkpoint.tick <= tick && checkpoint.tick >= nearest.tick) nearest = checkpoint;
  }
  return nearest;
}

function searchBack<T>(
  state: TimelineState,
  look: (machine: Machine, endTick: number) => T | undefined,
): T | undefined {
  const { machine } = state;
  let end = machine.state.clock.ticks;
  const starts = [...state.kept, ...state.near]
    .filter((checkpoint) => checkpoint.tick < end)
    .sort((left, right) => right.tick - left.tick);
  for (const start of starts) {
    if (start.tick >= end) continue;
    restoreCheckpoint(machine, start);
    const found = look(machine, end);
    if (found !== undefined) return found;
    end = start.tick;
  }
  return undefined;
}

function forget(state: TimelineState): void {
  const now = markOf(state.machine);
  state.kept = state.kept.filter((checkpoint) => checkpoint.seq <= now.seq && checkpoint.tick <= now.tick);
  state.near = [];
  const left = state.journal.filter((input) => (input.seq as number) < now.seq);
  state.journal.splice(0, state.journal.length, ...left);
  state.end = now;
}
