import type { HostRequest } from '../devices/device.ts';
import type { Stamped } from '../events/stamped.ts';
import { VOCABULARY } from '../events/vocabulary.ts';
import { type Checkpoint, restoreCheckpoint, takeCheckpoint } from '../reducers/checkpoint.ts';
import type { Reason, Until } from '../reducers/loop.ts';
import type { Machine } from '../reducers/machine.ts';
import type { InputEvent, InputSource, MachineParts, PendingInput } from '../reducers/parts.ts';
import { nowNs } from '../reducers/state.ts';
import { type CheckpointStore, checkpointStore } from './checkpoint-store.ts';
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
  /** Most bytes all checkpoints may hold. */
  readonly heldBytes?: number;
}

/** A run one can go back in. Where it stands and how it got there cannot be seen in what it does next. */
export interface Timeline {
  readonly machine: Machine;
  readonly now: Mark;
  /** The furthest it has been. */
  readonly end: Mark;
  readonly checkpoints: readonly Checkpoint[];
  /** Bytes the checkpoints hold. */
  readonly heldBytes: number;
  /** Go on: again through what has been, and beyond the end into what has not. */
  advance(until: Until): Reason;
  /**
   * Be at a tick, or at a mark: where so many events have been raised, too. Nearer checkpoints are left on the way so
   * that the next step back is short.
   */
  seek(place: number | Mark): Mark;
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

const HELD_BYTES = 2 ** 30;

/** Distances before a sought tick at which checkpoints are left. */
const NEAR = [1 << 24, 1 << 20, 1 << 16, 1 << 12, 1 << 8];

interface TimelineState {
  readonly options: TimelineOptions;
  readonly every: number;
  readonly journal: PendingInput[];
  machine: Machine;
  store: CheckpointStore;
  /** The latest checkpoint left by work done. */
  latest: Checkpoint;
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
  state.latest = takeCheckpoint(state.machine);
  state.store = checkpointStore(state.latest, { every, bytes: options.heldBytes ?? HELD_BYTES });
  return {
    machine: state.machine,
    get now() {
      return markOf(state.machine);
    },
    get end() {
      return state.end;
    },
    get checkpoints() {
      return state.store.kept;
    },
    get heldBytes() {
      return state.store.bytes;
    },
    advance: (until) => advanceKeeping(state, until),
    seek: (place) => (typeof place === 'number' ? seek(state, place) : seekMark(state, place)),
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
    const stop = state.latest.tick + every;
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
  state.latest = takeCheckpoint(state.machine, state.latest);
  state.store.keep(state.latest);
}

function seek(state: TimelineState, tick: number): Mark {
  const { machine, store } = state;
  const now = machine.state.clock.ticks;
  let before = store.before(tick);
  // At the very tick, events of it may have been raised that a plain tick lies before.
  if (tick <= now || before.tick > now) restoreCheckpoint(machine, before);
  for (const distance of NEAR) {
    const stop = tick - distance;
    // New ground is covered in strides of its own.
    if (stop <= machine.state.clock.ticks || stop - state.latest.tick > state.every) continue;
    machine.advance({ tick: stop });
    before = takeCheckpoint(machine, before);
    store.leave(before, tick);
  }
  advanceKeeping(state, { tick });
  return markOf(machine);
}

/** Events of a tick come after the moment its count is reached: that of the tick before lies before all of them. */
function seekMark(state: TimelineState, { seq, tick }: Mark): Mark {
  const { machine } = state;
  const { clock, schedule } = machine.state;
  const isBehind = clock.ticks < tick && schedule.seq <= seq;
  if (!isBehind || tick - clock.ticks > 1) seek(state, Math.max(0, tick - 1));
  if (machine.state.schedule.seq < seq) advanceKeeping(state, { seq, tick });
  reachEvent(machine, seq, tick);
  if (machine.state.clock.ticks < tick) advanceKeeping(state, { tick });
  return markOf(machine);
}

/** At the tick of an event, go on until it has been raised, but no instruction further: a VM entry is left open. */
function reachEvent(machine: Machine, seq: number, tick: number): void {
  const { clock, schedule } = machine.state;
  while (schedule.seq < seq && clock.ticks === tick) {
    const before = schedule.seq;
    if (!schedule.inGuest.includes(true)) machine.advance({ seq, tick, inGuest: true });
    if (schedule.seq >= seq) return;
    const reason = machine.advance({ seq, tick: tick + 1 });
    if (reason.why !== 'until' && schedule.seq === before) return;
  }
}

function searchBack<T>(
  state: TimelineState,
  look: (machine: Machine, endTick: number) => T | undefined,
): T | undefined {
  const { machine } = state;
  let end = machine.state.clock.ticks;
  const starts = [...state.store.kept, ...state.store.near]
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
  state.store.dropAfter(now.seq, now.tick);
  state.latest = state.store.before(now.tick);
  const left = state.journal.filter((input) => (input.seq as number) < now.seq);
  state.journal.splice(0, state.journal.length, ...left);
  state.end = now;
}
