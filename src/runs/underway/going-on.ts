/** How a run goes on, a piece at a time. */
import type { Ns } from '../../base/units.ts';
import type { Reason, Until } from '../../machine/loop.ts';
import { isAtPlace } from '../../machine/guest-view.ts';
import type { Machine } from '../../machine/machine.ts';
import type { PendingInput } from '../../machine/parts.ts';
import type { Gate } from '../../replay/streams/hold.ts';
import type { Told } from '../../replay/streams/told.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';
import type { CheckpointKeeper } from './checkpoint-keeper.ts';
import type { Course } from './course.ts';
import type { Dumped } from './dumped.ts';
import type { ExpectedInputs } from './expected-inputs.ts';
import type { HostSockets } from './host-sockets.ts';
import type { Goal, LiveRun } from './live-run.ts';
import type { PollingWatch } from './polling-guests.ts';
import type { DrivesWithoutPower } from './power-loss.ts';
import type { Prepared } from './prepare.ts';
import type { OutputTo, Printed } from './printed.ts';
import type { Recording } from './recording.ts';
import type { SessionEnd, SessionPause } from './session.ts';
import { Slice } from './slice.ts';

const MEASURED_MS = 8;
/** Ticks of a run's first piece. */
export const FIRST_CHUNK = 200_000;
/** What a processor runs in one go, where nothing else happens in between. */
const LARGEST_CHUNK = 250_000;

/** A session, as it goes on. */
export interface Running {
  readonly world: World;
  readonly options: RunOptions;
  readonly warnings: readonly string[];
  readonly machine: Machine;
  readonly told: Told;
  readonly gate: Gate | undefined;
  readonly recording: Recording | undefined;
  readonly printed: Printed;
  readonly dumped: Dumped | undefined;
  readonly sockets: HostSockets | undefined;
  readonly output: OutputTo;
  readonly course: Course;
  readonly polling: PollingWatch;
  /** The machine as gdb holds it, and goes back in it. */
  readonly live: LiveRun | undefined;
  /** Leaves checkpoints beside the trace. */
  readonly keeper: CheckpointKeeper | undefined;
  readonly inputs: PendingInput[];
  readonly payloads: Prepared['payloads'];
  readonly expected: ExpectedInputs;
  /** What drives would hold after it, where that is asked for. */
  readonly withoutPower: DrivesWithoutPower | undefined;
  readonly tickLimit: number;
  /** Ticks of one call of `advance`: what takes a few milliseconds. */
  chunk: number;
  /** Paced: virtual time up to which idling may be skipped. */
  mayWarpTo: number;
  stopped: boolean;
  /** A step did not come to its end: the machine cannot go on. */
  hasFailed: boolean;
  isClosed: boolean;
  /** Virtual time of the look that last found something printed. */
  printedAt: number;
}

/** Run for about so many milliseconds of the host's time. `paced`: no idle time is skipped. */
export function runFor(running: Running, milliseconds: number, paced: boolean): SessionPause {
  const slice = new Slice(milliseconds, running.world.milliseconds, running.gate);
  try {
    for (;;) {
      const pause = runChunk(running, paced, slice);
      if (pause !== undefined) return pause;
      slice.look();
      if (slice.isOver) return { pause: 'slice' };
    }
  } finally {
    handOn(running);
  }
}

/** What the guest printed, and then what is to be said of it. */
export function handOn(running: Running): void {
  const { printed, dumped, course, output, machine, sockets } = running;
  dumped?.flush();
  if (printed.flush()) running.printedAt = machine.now();
  for (const sentence of [...course.takeNotices(), ...(sockets?.takeNotices() ?? [])]) output.notice?.(sentence);
}

const asAsked = (ticks: number): SessionEnd => ({ status: 0, sentence: `Stopped after ${ticks} ticks as asked.` });

/** The machine stands with others: what it may not pass is theirs to say, and when its run is to pause. */
export function runTo(running: Running, ns: Ns, gate: { readonly isHeld: boolean }): SessionPause {
  const { machine, recording, course, tickLimit, keeper, live } = running;
  try {
    while (machine.now() < ns && !gate.isHeld) {
      const tick = Math.min(machine.ticks + LARGEST_CHUNK, tickLimit, keeper?.due ?? tickLimit);
      const until = { tick, ns, gate };
      const reason = advanced(running, live?.goal === undefined ? until : towards(live.goal, running, until));
      if (reason.why === 'until') keeper?.keepWhenDue();
      recording?.writeWhenDue();
      if (recording?.failure !== undefined) throw recording.failure;
      if (reason.why === 'ended') return { pause: 'ended', end: course.end(reason.ending, machine.ticks) };
      if (machine.ticks >= tickLimit) return { pause: 'ended', end: asAsked(tickLimit) };
      if (isStopped(running, reason)) return { pause: 'slice' };
      if (reason.why !== 'idle' && !machine.isIdle()) continue;
      const deadline = nextMoment(running);
      if (deadline > ns)
        return { pause: 'idle', untilNs: deadline === Number.POSITIVE_INFINITY ? undefined : deadline };
    }
    return { pause: 'slice' };
  } finally {
    handOn(running);
  }
}

function runChunk(running: Running, paced: boolean, gate: Slice): SessionPause | undefined {
  const { world, machine, tickLimit, keeper, live } = running;
  const { nsPerTick } = machine.state.config;
  const from = machine.ticks;
  const tick = Math.min(from + running.chunk, tickLimit, keeper?.due ?? tickLimit);
  const ns = Math.max(machine.now() + running.chunk * nsPerTick, running.mayWarpTo);
  const begun = world.milliseconds();
  const until = { tick, ...(paced ? { ns } : {}), gate };
  const reason = advanced(running, live?.goal === undefined ? until : towards(live.goal, running, until));
  adapt(running, machine.ticks - from, world.milliseconds() - begun);
  running.recording?.writeWhenDue();
  if (running.recording?.failure !== undefined) throw running.recording.failure;
  if (reason.why === 'until') keeper?.keepWhenDue();
  if (reason.why === 'ended') return { pause: 'ended', end: running.course.end(reason.ending, machine.ticks) };
  if (isStopped(running, reason)) return { pause: 'slice' };
  // A timer that goes on is none that wakes anybody.
  if (reason.why === 'idle' || (machine.isHaltedForGood() && running.expected.next?.ns === undefined))
    return { pause: 'idle', untilNs: undefined };
  if (machine.ticks >= tickLimit) {
    return { pause: 'ended', end: asAsked(tickLimit) };
  }
  if (running.gate?.isHeld === true) return { pause: 'held' };
  if (gate.isOver) return { pause: 'slice' };
  if (paced && machine.ticks < tick && machine.now() < ns) {
    const deadline = nextMoment(running);
    return { pause: 'idle', untilNs: deadline === Number.POSITIVE_INFINITY ? undefined : deadline };
  }
  return undefined;
}

/** Whether the machine is where a debugger wants it: it is held there. */
function isStopped({ live, machine }: Running, { why }: Reason): boolean {
  if (live === undefined) return false;
  const { goal } = live;
  const isThere = goal !== undefined && isAtPlace(machine, goal.tick, goal.turn);
  if (!isThere && !(why === 'break' && live.judge?.() === true)) return false;
  live.isHeld = true;
  return true;
}

/** When something happens by itself: a deadline of the machine, or what is expected from outside. */
export const nextMoment = ({ machine, expected }: Running): number =>
  Math.min(machine.nextDeadline(), expected.next?.ns ?? Number.POSITIVE_INFINITY);

/** Events of one piece of a debugger's step, which may lead far: it ends when another vCPU has its turn. */
const EVENTS_OF_A_PIECE = 4096;

function towards({ tick, turn }: Goal, { machine }: Running, until: Until): Until {
  const seq = machine.seq + EVENTS_OF_A_PIECE;
  if (turn !== undefined) return { ...until, tick, turn, seq, inGuest: true };
  return tick > (until.tick ?? 0) ? until : { ...until, tick, seq, inGuest: true };
}

/** Let the machine run on. What it throws leaves a step half done. */
function advanced(running: Running, until: Until): ReturnType<Machine['advance']> {
  try {
    return (running.live?.timeline ?? running.machine).advance(until);
  } catch (error) {
    running.hasFailed = true;
    throw error;
  }
}

/** Keep a chunk near a few milliseconds of the host's time, whatever the guest does. */
function adapt(running: Running, ticks: number, milliseconds: number): void {
  if (milliseconds > 2 * MEASURED_MS) running.chunk = Math.max(10_000, Math.floor(running.chunk / 2));
  else if (milliseconds < MEASURED_MS / 2 && ticks >= running.chunk) {
    running.chunk = Math.min(LARGEST_CHUNK, running.chunk * 2);
  }
}
