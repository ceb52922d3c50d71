import type { Stamped } from '../../events/stamped.ts';
import type { UartState } from '../../devices/uart16550/index.ts';
import { createMachine } from '../../machine/machine.ts';
import type { InputEvent, MachineParts, PendingInput } from '../../machine/parts.ts';
import type { RunOptions } from '../machine/run-options.ts';
import { seal } from '../../reducers/seal.ts';
import type { Gate } from '../../replay/streams/hold.ts';
import { Told } from '../../replay/streams/told.ts';
import type { TimelineParts } from '../../replay/timeline.ts';
import { assemble } from '../machine/assemble.ts';
import { keepCheckpoints } from './checkpoint-keeper.ts';
import { commitDrives } from './commit-drives.ts';
import { Course } from './course.ts';
import { bootWarning } from '../../vmm/index.ts';
import type { World } from '../world.ts';
import type { Images } from '../machine/images.ts';
import { ALONE, type Beside, startLiveRun } from './live-run.ts';
import { watchPolling } from './polling-guests.ts';
import { taken } from './expected-inputs.ts';
import { DrivesWithoutPower } from './power-loss.ts';
import { dumpedOf } from './dumped.ts';
import { FIRST_CHUNK, handOn, nextMoment, type Running, runFor, runTo } from './going-on.ts';
import { type Prepared, prepared } from './prepare.ts';
import { type OutputTo, Printed } from './printed.ts';
import { startRecording } from './recording.ts';
import { type CharacterPort, payloadFor, STOPPED, typedAt } from '../run-inputs.ts';
import type { Session } from './session.ts';
import type { HostSockets } from './host-sockets.ts';

/** Who else hears of a run, and may hold it. */
export interface Company {
  readonly told: Told;
  /** Sockets of the host. */
  readonly sockets?: HostSockets | undefined;
  /** Where what those hear goes, and how much of it waits there; absent: to the machine, where it stands. */
  readonly mail?: Mail | undefined;
  readonly gate?: Gate;
  /** A debugger may come to a machine that stands with others. */
  readonly beside?: Beside | undefined;
}

/** Inputs on their way to a machine. */
export interface Mail {
  send(event: InputEvent): void;
  count(): number;
}

/** Build the machine the options describe, recorded, ready to run. */
export function openSession(world: World, options: RunOptions, output: OutputTo, sockets?: HostSockets): Session {
  return startSession(prepared(world, options), output, { told: new Told(), sockets });
}

/** Build the machine, recorded, ready to run: its first events are told before this returns. */
export function startSession(
  { world, options, description, images, identities, disks, payloads, wallClockAtPowerOn, expected }: Prepared,
  output: OutputTo,
  { told, gate, sockets, mail, beside }: Company,
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
    (event) => (mail === undefined ? void inputs.push({ event }) : mail.send(event)),
    () => mail?.count() ?? inputs.length,
    () => output.rouse?.(),
    (dev) => machine.state.vmm.devices[dev as `${string}#${number}`],
  );
  const build = (parts: TimelineParts): MachineParts =>
    assemble({ world, description, images, disks, payloads, seed, wallClockAtPowerOn, ...parts });
  const outside = { onEvent: told.hear };
  const live =
    options.gdb === undefined ? undefined : startLiveRun(build, outside, { inputs, expected, ...(beside ?? ALONE) });
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
