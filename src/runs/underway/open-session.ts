import type { Ns } from '../../base/units.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { UartState } from '../../devices/uart16550/index.ts';
import type { Until } from '../../machine/loop.ts';
import { isAtPlace } from '../../machine/guest-view.ts';
import { createMachine, type Machine } from '../../machine/machine.ts';
import type { InputEvent, MachineParts, PendingInput } from '../../machine/parts.ts';
import type { RunOptions } from '../machine/run-options.ts';
import { seal } from '../../reducers/seal.ts';
import type { Gate } from '../../replay/streams/hold.ts';
import { Told } from '../../replay/streams/told.ts';
import type { TimelineParts } from '../../replay/timeline.ts';
import { assemble } from '../machine/assemble.ts';
import { type CheckpointKeeper, keepCheckpoints } from './checkpoint-keeper.ts';
import { commitDrives } from './commit-drives.ts';
import { Course } from './course.ts';
import { bootWarning } from '../../vmm/index.ts';
import type { World } from '../world.ts';
import type { Images } from '../machine/images.ts';
import { type Goal, type LiveRun, startLiveRun } from './live-run.ts';
import { type PollingWatch, watchPolling } from './polling-guests.ts';
import { type ExpectedInputs, taken } from './expected-inputs.ts';
import { DrivesWithoutPower } from './power-loss.ts';
import { type Dumped, dumpedOf } from './dumped.ts';
import { type Prepared, prepared } from './prepare.ts';
import { type OutputTo, Printed } from './printed.ts';
import { type Recording, startRecording } from './recording.ts';
import { type CharacterPort, payloadFor, STOPPED, typedAt } from '../run-inputs.ts';
import type { Session, SessionEnd, SessionPause } from './session.ts';
import type { HostSockets } from './host-sockets.ts';
import { Slice } from './slice.ts';

const MEASURED_MS = 8;
const FIRST_CHUNK = 200_000;
/** What a processor runs in one go, where nothing else happens in between. */
const LARGEST_CHUNK = 250_000;

interface Running {
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

/** Who else hears of a run, and may hold it. */
export interface Company {
  readonly told: Told;
  /** Sockets of the host. */
  readonly sockets?: HostSockets | undefined;
  readonly gate?: Gate;
}

/** Build the machine the options describe, recorded, ready to run. */
export function openSession(world: World, options: RunOptions, output: OutputTo, sockets?: HostSockets): Session {
  return startSession(prepared(world, options), output, { told: new Told(), sockets });
}

/** Build the machine, recorded, ready to run: its first events are told before this returns. */
export function startSession(
  { world, options, description, images, identities, disks, payloads, wallClockAtPowerOn, expected }: Prepared,
  output: OutputTo,
  { told, gate, sockets }: Company,
): Session {
  const { seed, trace, pieceBytes } = options;
  const subject = { engineVersion: world.version, machine: description, images: identities, seed };
  const recording =
    trace === undefined
      ? undefined
      : startRecording(world, { path: trace, pieceBytes }, subject, { payloads, blocks: disks.blocks.list });
  let withoutPower: DrivesWithoutPower | undefined;
  const course = new Course();
  const polling = watchPolling();
  const printed = new Printed(output);
  const dumped = dumpedOf(options.dumps, { description, wallClock: wallClockAtPowerOn }, output.dump);
  // One subscription: what each costs is paid at every event. Why a run cannot go on is said to whoever runs it.
  const next = (stamped: Stamped): void => {
    recording?.next(stamped);
    course.next(stamped);
    polling.next(stamped);
    printed.next(stamped);
    withoutPower?.next(stamped);
    dumped?.next(stamped);
    sockets?.next(stamped);
  };
  told.events$.subscribe({ next, error: () => undefined });
  const inputs: PendingInput[] = [];
  sockets?.join(
    (event) => void inputs.push({ event }),
    () => inputs.length,
    () => output.rouse?.(),
    (dev) => machine.state.vmm.devices[dev as `${string}#${number}`],
  );
  const build = (parts: TimelineParts): MachineParts =>
    assemble({ world, description, images, disks, payloads, seed, wallClockAtPowerOn, ...parts });
  const outside = { onEvent: told.hear };
  const live = options.gdb === undefined ? undefined : startLiveRun(build, outside, inputs, expected);
  const queue = { peek: () => inputs[0] ?? expected.next, take: () => taken(inputs, expected) };
  const machine = live?.timeline.machine ?? createMachine(build({ ...outside, inputs: queue }));
  recording?.begin();
  if (options.powerLossAt !== undefined && options.commits) withoutPower = new DrivesWithoutPower(machine, seed);
  const keeper = options.checkpoints ? keepCheckpoints(world, trace as string, machine) : undefined;
  const running: Running = {
    warnings: [...warningsOf(images), ...disks.warnings],
    ...{
      world,
      options,
      machine,
      told,
      gate,
      recording,
      printed,
      dumped,
      sockets,
      output,
      course,
      polling,
      live,
      keeper,
      inputs,
      payloads,
      expected,
      withoutPower,
    },
    tickLimit: options.ticks ?? Number.POSITIVE_INFINITY,
    chunk: FIRST_CHUNK,
    mayWarpTo: 0,
    stopped: false,
    hasFailed: false,
    isClosed: false,
    printedAt: 0,
  };
  return sessionOf(running);
}

/** What follows from the images themselves, whatever the options say. */
function warningsOf(images: Images): string[] {
  const warning = bootWarning({ kernel: images.get('kernel'), bios: images.get('bios') });
  return warning === undefined ? [] : [warning];
}

/** A run somebody outside ends closes with that fact and digests of its end, unless a debugger stands in its past. */
function stopRun({ machine, inputs, live }: Running): void {
  const isAtEnd = live === undefined || live.timeline.now.seq === live.timeline.end.seq;
  if (machine.state.schedule.ended !== undefined || !isAtEnd) return;
  inputs.splice(0, inputs.length, { event: STOPPED });
  (live?.timeline ?? machine).advance({});
}

function closeRun(running: Running): void {
  if (running.isClosed) return;
  running.isClosed = true;
  running.sockets?.close();
  try {
    finishTrace(running);
  } catch (error) {
    running.keeper?.abandon();
    throw error;
  }
  if (running.hasFailed) running.keeper?.abandon();
  else {
    running.keeper?.finish();
    if (running.options.commits) commitDrives(running);
  }
}

/** A trace has an end only if its run came to one. */
function finishTrace(running: Running): void {
  const { told, recording } = running;
  try {
    if (!running.hasFailed) stopRun(running);
  } catch (error) {
    running.hasFailed = true;
    throw error;
  } finally {
    if (running.hasFailed) recording?.breakOff();
    else recording?.close();
    told.end();
    running.dumped?.flush();
  }
}

function sessionOf(running: Running): Session {
  const { machine } = running;
  const send = (event: InputEvent): void => void running.inputs.push({ event });
  return {
    warnings: running.warnings,
    view: { machine },
    state: () => seal(undefined, machine.state),
    run(milliseconds, paced) {
      const pause = runFor(running, milliseconds, paced);
      return pause.pause === 'ended' && isKept(running) ? { pause: 'slice' } : pause;
    },
    runTo: (ns, gate) => runTo(running, ns, gate),
    warp() {
      const deadline = nextMoment(running);
      if (deadline !== Number.POSITIVE_INFINITY) running.mayWarpTo = Math.max(running.mayWarpTo, deadline);
    },
    type: (at, bytes) => send(typedAt(at, Uint8Array.from(bytes))),
    receive: (dev, bytes) => send(payloadFor(dev, running.payloads.keep(bytes), bytes.length)),
    send,
    get hasInputs() {
      return running.inputs.length > 0;
    },
    get isAwaited() {
      return running.sockets?.isAwaited === true;
    },
    listens: (at) =>
      typeof at === 'string' || isOpen(machine.vmm.describeDevice(`serial${at}`)) || running.polling.awaits(at),
    waiting: (at) => waitingAt(running, at),
    now: () => machine.now(),
    silence: () => machine.now() - running.printedAt,
    get isOff() {
      return machine.state.schedule.ended?.why === 'powered-off';
    },
    get isStopped() {
      return running.stopped;
    },
    setStopped(stopped) {
      running.stopped = stopped;
    },
    figures: () => ({
      ticks: machine.ticks,
      events: machine.seq,
      exits: running.course.exits,
      virtualNs: machine.now(),
    }),
    flush() {
      running.recording?.writeWhenDue();
      handOn(running);
    },
    live: running.live,
    close: () => closeRun(running),
  };
}

function waitingAt({ machine, inputs }: Running, at: CharacterPort): number {
  if (typeof at === 'string') return 0;
  const devices = machine.state.vmm.devices as unknown as Readonly<Record<string, Pick<UartState, 'waiting'>>>;
  const underway = inputs.map(({ event }) => (event.kind === 'sim:serial_received' ? event.bytes.length : 0));
  return underway.reduce((sum, length) => sum + length, devices[`serial${at}`]?.waiting.length ?? 0);
}

/** Whether a driver has opened a serial line: interrupts for received data, and DTR and RTS up. A probe sets no RTS. */
const isOpen = (uart: Readonly<Record<string, string>> = {}): boolean =>
  (Number(uart['ier'] ?? 0) & 1) === 1 && (Number(uart['mcr'] ?? 0) & 3) === 3;

/** A run that ends before gdb's eyes is kept until gdb has left. */
function isKept({ live }: Running): boolean {
  if (live?.isWatched !== true) return false;
  live.hasEnded = true;
  live.isHeld = true;
  return true;
}

function runFor(running: Running, milliseconds: number, paced: boolean): SessionPause {
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
function handOn(running: Running): void {
  const { printed, dumped, course, output, machine, sockets } = running;
  dumped?.flush();
  if (printed.flush()) running.printedAt = machine.now();
  for (const sentence of [...course.takeNotices(), ...(sockets?.takeNotices() ?? [])]) output.notice?.(sentence);
}

const asAsked = (ticks: number): SessionEnd => ({ status: 0, sentence: `Stopped after ${ticks} ticks as asked.` });

/** The machine stands with others: what it may not pass is theirs to say, and when its run is to pause. */
function runTo(running: Running, ns: Ns, gate: { readonly isHeld: boolean }): SessionPause {
  const { machine, recording, course, tickLimit, keeper } = running;
  try {
    while (machine.now() < ns && !gate.isHeld) {
      const tick = Math.min(machine.ticks + LARGEST_CHUNK, tickLimit, keeper?.due ?? tickLimit);
      const reason = advanced(running, { tick, ns, gate });
      if (reason.why === 'until') keeper?.keepWhenDue();
      recording?.writeWhenDue();
      if (recording?.failure !== undefined) throw recording.failure;
      if (reason.why === 'ended') return { pause: 'ended', end: course.end(reason.ending, machine.ticks) };
      if (machine.ticks >= tickLimit) return { pause: 'ended', end: asAsked(tickLimit) };
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
  if (reason.why === 'break' && live?.judge?.() === true) {
    live.isHeld = true;
    return { pause: 'slice' };
  }
  if (live?.goal !== undefined && isAtPlace(machine, live.goal.tick, live.goal.turn)) {
    live.isHeld = true;
    return { pause: 'slice' };
  }
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

/** When something happens by itself: a deadline of the machine, or what is expected from outside. */
const nextMoment = ({ machine, expected }: Running): number =>
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
