import { Problem } from '../base/problem.ts';
import type { Seq, Tick } from '../base/units.ts';
import { finish, type Work } from '../base/work.ts';
import type { Stamped } from '../events/stamped.ts';
import { type Checkpoint, restoreCheckpoint, takeCheckpoint } from '../machine/checkpoint.ts';
import type { Reason, Until } from '../machine/loop.ts';
import type { Machine } from '../machine/machine.ts';
import type { InputEvent, InputSource, MachineParts, PendingInput } from '../machine/parts.ts';
import { type CheckpointStore, checkpointStore } from './checkpoint-store.ts';
import type { StoredCheckpoints } from './trace/checkpoint-reader.ts';
import { isDelivered } from './trace/trace-inputs.ts';
import { firstInputFrom } from './verify.ts';

/** A comparable place in a run. */
export interface Mark {
  readonly seq: Seq;
  readonly tick: Tick;
}

/** What a timeline puts around a machine's parts: its inputs and where events go. */
export type TimelineParts = Pick<MachineParts, 'inputs' | 'onEvent'>;

/** How a timeline is set up. */
export interface TimelineOptions {
  build(parts: TimelineParts): Machine;
  /** Inputs that are not recorded yet, or of an opened trace. */
  readonly inputs: InputSource;
  /** Events that this timeline sees for the first time: the recorder, or the verifier. */
  onEvent(stamped: Stamped): void;
  /** Ticks between checkpoints. */
  readonly every?: number;
  /** Most bytes all checkpoints may hold. */
  readonly heldBytes?: number;
  readonly stored?: StoredCheckpoints;
  /** Number of the event after the last that is known to come: of a recording that is run again. */
  readonly recordedTo?: Seq;
}

/** A run one can go back in. Where it stands and how it got there cannot be seen in what it does next. */
export interface Timeline {
  readonly machine: Machine;
  readonly now: Mark;
  /** The furthest it has been, or its stored checkpoints reach. */
  readonly end: Mark;
  /** Where checkpoints stand, held or stored, oldest first; not those that lie near where somebody stood. */
  readonly checkpoints: readonly Mark[];
  /** Bytes the checkpoints hold. */
  readonly heldBytes: number;
  /** Go on: again through what has been, and beyond the end into what has not. */
  advance(until: Until): Reason;
  /**
   * Be at a tick, or at a mark: where so many events have been raised, too. Nearer checkpoints are left on the way so
   * that the next step back is short.
   */
  seek(place: number | Mark): Mark;
  /** The same in pieces; whoever leaves it stands where it is by then. */
  seeking(place: number | Mark): Work<Mark>;
  /** Remember here. What is given back brings the machine here again, at once. */
  remember(): () => void;
  /** Forget what came after now: the run goes on from here as a fork of what it was. */
  forget(): void;
  /** Every event while `look` runs, first time or again. */
  watching<T>(watch: (stamped: Stamped) => void, look: () => T): T;
}

/** Ticks between checkpoints: mostly less than a tenth of a second of running. */
export const TICKS_BETWEEN = 1 << 23;

const HELD_BYTES = 2 ** 30;

/** Distances before a sought tick at which checkpoints are left. */
const NEAR = [1 << 20, 1 << 16, 1 << 12, 1 << 8];

/** Events from one sequence number to before another. */
interface Stretch {
  readonly from: number;
  to: number;
}

/** The machine hears its inputs from here, and tells what it does to here. */
class TimelineState {
  readonly options: TimelineOptions;
  readonly every: number;
  readonly journal: PendingInput[];
  readonly machine: Machine;
  store: CheckpointStore;
  first: Checkpoint;
  /** Tick up to which checkpoints have been left by work done. */
  keptTo: Tick;
  end: Mark;
  isLive = true;
  /** What has been run in this timeline, as stretches of sequence numbers in order. */
  seen: Stretch[] = [{ from: 0, to: 0 }];
  /** From here on the stored checkpoints belong to a future that was forgotten. */
  forgotFrom = Number.POSITIVE_INFINITY;
  watch: ((stamped: Stamped) => void) | undefined;
  /** Whether the machine was put in a stored state. */
  hasLoaded = false;

  constructor(options: TimelineOptions) {
    const { every = TICKS_BETWEEN, stored, heldBytes = HELD_BYTES } = options;
    const reached = stored?.places.at(-1) ?? { seq: 0, tick: 0 };
    this.options = options;
    this.every = every;
    this.journal = stored?.inputs.filter(({ seq = 0 }) => seq < reached.seq) ?? [];
    this.end = reached;
    this.machine = options.build({ inputs: journaledInputs(this), onEvent: (stamped) => note(this, stamped) });
    this.first = takeCheckpoint(this.machine);
    this.keptTo = Math.max(reached.tick, this.first.tick);
    this.store = checkpointStore(this.first, { every, bytes: heldBytes });
  }
}

/** Build the machine and keep its first moment. */
export function createTimeline(options: TimelineOptions): Timeline {
  const state = new TimelineState(options);
  return {
    machine: state.machine,
    get now() {
      return markOf(state.machine);
    },
    get end() {
      return state.end;
    },
    get checkpoints() {
      return allPlaces(state);
    },
    get heldBytes() {
      return state.store.bytes;
    },
    advance: (until) => advanceKeeping(state, until),
    seek: (place) => finish(distrusting(state, () => seekPlace(state, place))),
    seeking: (place) => distrusting(state, () => seekPlace(state, place)),
    remember() {
      const { machine, store } = state;
      const kept = takeCheckpoint(machine, store.before(machine.ticks));
      return () => restoreCheckpoint(machine, kept);
    },
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

/**
 * Stored checkpoints are anybody's: what breaks a machine that stood in one is run from the beginning instead, without
 * them.
 */
function* distrusting<T>(state: TimelineState, work: () => Work<T>): Work<T> {
  try {
    return yield* work();
  } catch (error) {
    if (error instanceof Problem || !state.hasLoaded) throw error;
    state.options.stored?.refuse();
    state.hasLoaded = false;
    state.forgotFrom = 0;
    state.store.dropAfter(state.first.seq, state.first.tick);
    state.keptTo = state.first.tick;
    restoreCheckpoint(state.machine, state.first);
    return yield* work();
  }
}

const markOf = ({ seq, ticks: tick }: Machine): Mark => ({ seq, tick });

/** Recorded inputs while the past is run again; whatever waits outside once the end is reached. */
function journaledInputs(state: TimelineState): InputSource {
  return {
    peek: (seq) => (seq < state.end.seq ? firstInputFrom(state.journal, seq) : state.options.inputs.peek(seq)),
    take() {
      // An input of the past was taken when it happened.
      if (state.machine.seq >= state.end.seq) state.options.inputs.take();
    },
  };
}

function note(state: TimelineState, stamped: Stamped): void {
  const { seq, tick, event } = stamped;
  if (seq > mostOf(state)) throw new Error('a stored checkpoint leads to more events than were recorded');
  state.isLive = seq >= state.end.seq;
  state.watch?.(stamped);
  if (see(state.seen, seq)) state.options.onEvent(stamped);
  if (!state.isLive) return;
  state.end = { seq: seq + 1, tick };
  if (!isDelivered(event.kind)) return;
  state.journal.push({ seq, tick, ns: state.machine.now(), event: event as InputEvent });
}

/** How far events can go. A state that was stored may be anybody's, with a timer that never comes to its end. */
const mostOf = ({ hasLoaded, forgotFrom, options: { recordedTo } }: TimelineState): Seq =>
  hasLoaded && forgotFrom === Number.POSITIVE_INFINITY && recordedTo !== undefined
    ? recordedTo
    : Number.POSITIVE_INFINITY;

/** Whether an event is seen for the first time. */
function see(seen: Stretch[], seq: Seq): boolean {
  let at = seen.length - 1;
  while (at > 0 && seen[at]!.from > seq) at -= 1;
  const stretch = seen[at]!;
  if (seq < stretch.to) return false;
  if (seq > stretch.to) {
    seen.splice(at + 1, 0, { from: seq, to: seq + 1 });
    return true;
  }
  stretch.to += 1;
  const next = seen[at + 1];
  if (next?.from === stretch.to) {
    stretch.to = next.to;
    seen.splice(at + 1, 1);
  }
  return true;
}

/** Advance in strides, leaving a checkpoint after each that reaches new ground. */
function advanceKeeping(state: TimelineState, until: Until): Reason {
  const { machine, every } = state;
  for (;;) {
    const stop = state.keptTo + every;
    const now = machine.ticks;
    const isOwnStop = now < stop && stop < (until.tick ?? Number.POSITIVE_INFINITY);
    const reason = goOn(state, isOwnStop ? { ...until, tick: stop } : until);
    const { ticks } = machine;
    if (ticks > state.end.tick) state.end = { seq: Math.max(state.end.seq, machine.seq), tick: ticks };
    if (ticks >= stop) keep(state);
    if (reason.why !== 'until' || !isOwnStop || ticks < stop) return reason;
  }
}

/** Idleness, however long, is no end while events are known to follow. */
function goOn(state: TimelineState, until: Until): Reason {
  const { machine, options, forgotFrom } = state;
  const recordedTo = forgotFrom === Number.POSITIVE_INFINITY ? (options.recordedTo ?? 0) : 0;
  for (;;) {
    const before = machine.seq;
    const reason = machine.advance(until);
    if (reason.why !== 'idle' || machine.seq >= Math.max(state.end.seq, recordedTo) || machine.seq === before)
      return reason;
  }
}

function keep(state: TimelineState): void {
  const { machine, store } = state;
  const now = machine.ticks;
  store.keep(takeCheckpoint(machine, store.before(now)));
  state.keptTo = now;
}

const storedPlaces = ({ options, forgotFrom }: TimelineState): readonly Mark[] =>
  options.stored?.places.filter(({ tick }) => tick < forgotFrom) ?? [];

/** Held by work done, and stored, in order of tick. */
function allPlaces(state: TimelineState): Mark[] {
  const held = state.store.kept.map(({ seq, tick }) => ({ seq, tick }));
  const ticks = new Set(held.map(({ tick }) => tick));
  const stored = storedPlaces(state).filter(({ tick }) => !ticks.has(tick));
  return [...held, ...stored].sort((left, right) => left.tick - right.tick);
}

/** Bring the machine to the best place to reach a later tick from. What is at the very tick may lie behind it. */
function startFor(state: TimelineState, tick: Tick): Checkpoint {
  const { machine, store } = state;
  const held = store.before(tick);
  const now = machine.ticks;
  const isAhead = now < tick && held.tick <= now;
  const free = isAhead ? now : held.tick;
  // Running on that far costs no more than reading a stored one.
  const loaded = loadedBefore(state, tick, free + state.every);
  if (loaded !== undefined) store.leave(loaded, tick);
  const start = loaded ?? held;
  if (loaded !== undefined || !isAhead) restoreCheckpoint(machine, start);
  return start;
}

/** The last stored checkpoint before a tick that stands at `least` or later. What cannot be read is passed by. */
function loadedBefore(state: TimelineState, tick: Tick, least: number): Checkpoint | undefined {
  const places = storedPlaces(state);
  for (let at = places.length - 1; at >= 0; at -= 1) {
    const place = places[at]!;
    if (place.tick < least) return undefined;
    const loaded = place.tick < tick ? state.options.stored?.load(at, state.first) : undefined;
    if (loaded === undefined) continue;
    state.hasLoaded = true;
    return loaded;
  }
  return undefined;
}

/** Ticks run between two looks at whether somebody wants to stop. */
const PIECE = 1 << 16;

const seekPlace = (state: TimelineState, place: number | Mark): Work<Mark> =>
  typeof place === 'number' ? seekTick(state, place) : seekMark(state, place);

function* seekTick(state: TimelineState, tick: Tick): Work<Mark> {
  const { machine, store } = state;
  let before = startFor(state, tick);
  const way = { from: machine.ticks, to: tick };
  for (const distance of NEAR) {
    const stop = tick - distance;
    // New ground is covered in strides of its own.
    if (stop <= machine.ticks || stop - state.keptTo > state.every) continue;
    yield* runTo(state, stop, way, goOn);
    before = takeCheckpoint(machine, before);
    store.leave(before, tick);
  }
  yield* runTo(state, tick, way, advanceKeeping);
  return markOf(machine);
}

/** Run on to a tick, which is a part of a longer way. */
function* runTo(
  state: TimelineState,
  tick: Tick,
  way: { readonly from: Tick; readonly to: Tick },
  run: typeof goOn,
): Work<void> {
  const { machine } = state;
  for (;;) {
    const { why } = run(state, { tick: Math.min(tick, machine.ticks + PIECE) });
    if (machine.ticks >= tick || why !== 'until') return;
    yield (machine.ticks - way.from) / (way.to - way.from);
  }
}

/** Events of a tick come after the moment its count is reached: that of the tick before lies before all of them. */
function* seekMark(state: TimelineState, { seq, tick }: Mark): Work<Mark> {
  const { machine } = state;
  const isBehind = machine.ticks < tick && machine.seq <= seq;
  if (!isBehind || tick - machine.ticks > 1) yield* seekTick(state, Math.max(0, tick - 1));
  if (machine.seq < seq) advanceKeeping(state, { seq, tick });
  reachEvent(machine, seq, tick);
  if (machine.ticks < tick) advanceKeeping(state, { tick });
  return markOf(machine);
}

/** At the tick of an event, go on until it has been raised, but no instruction further: a VM entry is left open. */
function reachEvent(machine: Machine, seq: Seq, tick: Tick): void {
  while (machine.seq < seq && machine.ticks === tick) {
    const before = machine.seq;
    const isInGuest = machine.state.kvm.vcpus.some(({ inGuest }) => inGuest);
    if (!isInGuest) machine.advance({ seq, tick, inGuest: true });
    if (machine.seq >= seq) return;
    const reason = machine.advance({ seq, tick: tick + 1 });
    if (reason.why !== 'until' && machine.seq === before) return;
  }
}

function forget(state: TimelineState): void {
  const now = markOf(state.machine);
  state.store.dropAfter(now.seq, now.tick);
  state.keptTo = Math.min(state.keptTo, now.tick);
  const left = state.journal.filter((input) => (input.seq as number) < now.seq);
  state.journal.splice(0, state.journal.length, ...left);
  state.seen = state.seen.filter(({ from }) => from === 0 || from < now.seq);
  for (const stretch of state.seen) stretch.to = Math.min(stretch.to, now.seq);
  state.forgotFrom = Math.min(state.forgotFrom, now.tick);
  state.end = now;
}
