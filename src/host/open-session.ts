import { createHistory, type History } from '../replay/sources/history.ts';
import { readFileSync } from 'node:fs';
import type { RunOptions } from '../debugger/cli/run-options.ts';
import { describeInterruptControllers, describeLapic } from '../debugger/views/interrupts.ts';
import { describeRegisters } from '../debugger/views/registers.ts';
import type { HostRequest } from '../devices/device.ts';
import { hex } from '../events/schema.ts';
import type { Stamped } from '../events/stamped.ts';
import type { IrqchipState } from '../kvm/irqchip/state.ts';
import { createMachine, type Machine } from '../reducers/machine.ts';
import type { PendingInput } from '../reducers/parts.ts';
import type { Ending } from '../reducers/state.ts';
import type { TimelineParts } from '../replay/timeline.ts';
import { createTraceWriter, type TraceWriter } from '../replay/trace/writer.ts';
import { type Assembled, assemble } from './assemble.ts';
import { identities, loadImages, OWN_GUEST_PATH } from './images.ts';
import { type LiveRun, startLiveRun } from './live-run.ts';
import { describeMachine } from './machine-description.ts';
import { type PollingWatch, watchPolling } from './polling-guests.ts';
import { GUEST_FAILED, type Session, type SessionEnd, type SessionPause } from './session.ts';
import { type CheckpointKeeper, keepCheckpoints } from './checkpoint-keeper.ts';
import { compress, createTraceFile, refuseOtherThanTrace, type TraceSink } from './trace-file.ts';

/** Where what the guest prints goes. */
export interface OutputTo {
  serial(line: number, bytes: Uint8Array): void;
  debugcon(bytes: Uint8Array): void;
}

/** Basic exit reason. SDM Vol. 3, Appendix C. */
const TRIPLE_FAULT = 2;

const PANICKED: Ending = { why: 'panicked', status: GUEST_FAILED };

const MEASURED_MS = 8;
const FIRST_CHUNK = 200_000;
/** A guest may become a thousand times slower from one chunk to the next, and no signal is heard within one. */
const LARGEST_CHUNK = 250_000;

/** The version of the engine a trace names: the package's. */
export const ENGINE_VERSION: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

interface Running {
  readonly machine: Machine;
  /** The machine as gdb holds it, and goes back in it. */
  readonly live: LiveRun | undefined;
  /** Leaves checkpoints beside the trace. */
  readonly keeper: CheckpointKeeper | undefined;
  /** The run as streams, for whoever watches. */
  readonly history: History;
  readonly polling: PollingWatch;
  readonly inputs: PendingInput[];
  /** Hand on what was printed; whether anything was. */
  readonly flushOutput: () => boolean;
  readonly tickLimit: number;
  /** Ticks of one call of `advance`: what takes a few milliseconds. */
  chunk: number;
  /** Paced: virtual time up to which idling may be skipped. */
  mayWarpTo: number;
  panicked: string | undefined;
  /** Where a processor shut down because it could not deliver an exception. */
  tripleFault: string | undefined;
  exits: number;
  stopped: boolean;
  /** Virtual time of the look that last found something printed. */
  printedAt: number;
}

/** A run whose machine is being built: events are raised already. */
type Starting = Omit<Running, 'machine' | 'keeper' | 'live'> & { machine?: Machine };

/** Build the machine the options describe, recorded, ready to run. */
export function openSession(options: RunOptions, output: OutputTo): Session {
  const own = options.kernel === undefined && options.bios === undefined;
  const images = loadImages({
    kernel: own ? OWN_GUEST_PATH : options.kernel,
    initrd: options.initrd,
    bios: options.bios,
    'option-rom': options.optionRom,
  });
  const paths = Object.fromEntries([...images].map(([role, { path }]) => [role, path]));
  const description = describeMachine(own ? withDebugExit(options) : options, paths);
  const recording = options.trace === undefined ? undefined : startRecording(options.trace);
  const writer =
    recording === undefined
      ? undefined
      : createTraceWriter(recording.sink, compress, {
          engineVersion: ENGINE_VERSION,
          machine: description,
          images: identities(images),
          seed: options.seed,
        });
  const inputs: PendingInput[] = [];
  const outputs = bufferedOutput(output);
  const running: Starting = {
    history: createHistory(),
    polling: watchPolling(),
    inputs,
    flushOutput: outputs.flush,
    tickLimit: options.ticks ?? Number.POSITIVE_INFINITY,
    chunk: FIRST_CHUNK,
    mayWarpTo: 0,
    panicked: undefined,
    tripleFault: undefined,
    exits: 0,
    stopped: false,
    printedAt: 0,
  };
  const wallClockAtPowerOn = options.wallClock ?? BigInt(Date.now()) * 1_000_000n;
  const build = (parts: TimelineParts): Assembled =>
    assemble({ description, images, seed: options.seed, wallClockAtPowerOn, ...parts });
  const outside = { onEvent: (stamped: Stamped) => hear(running, writer, stamped), onRequest: outputs.take };
  const live = options.gdb === undefined ? undefined : startLiveRun(build, outside, inputs);
  const assembled =
    live?.assembled ?? build({ ...outside, inputs: { peek: () => inputs[0], take: () => void inputs.shift() } });
  const machine = live?.timeline.machine ?? createMachine(assembled.parts);
  recording?.begin();
  const keeper = options.checkpoints ? keepCheckpoints(options.trace as string, machine) : undefined;
  return sessionOf(Object.assign(running, { machine, keeper, live }), assembled, () => {
    writer?.close();
    recording?.close();
    keeper?.finish();
  });
}

/** Our own guest ends by isa-debug-exit, as it would under QEMU with that device given. */
function withDebugExit(options: RunOptions): RunOptions {
  if (options.devices.some(({ driver }) => driver === 'isa-debug-exit')) return options;
  const debugExit = { driver: 'isa-debug-exit', properties: { iobase: 0xf4, iosize: 4 } };
  return { ...options, devices: [...options.devices, debugExit] };
}

/** A trace that becomes a file only once the machine stands: a run that cannot start overwrites nothing. */
function startRecording(path: string): { readonly sink: TraceSink; begin(): void; close(): void } {
  refuseOtherThanTrace(path);
  let held: Uint8Array[] | undefined = [];
  let file: TraceSink | undefined;
  return {
    sink: {
      append(bytes) {
        if (held === undefined) file?.append(bytes);
        else held.push(bytes);
      },
      close: () => file?.close(),
    },
    begin() {
      file = createTraceFile(path);
      for (const bytes of held ?? []) file.append(bytes);
      held = undefined;
    },
    close: () => file?.close(),
  };
}

function hear(running: Starting, writer: TraceWriter | undefined, stamped: Stamped): void {
  writer?.append(stamped);
  running.history.publish(stamped);
  const { event, tick } = stamped;
  running.polling.hear(event);
  if (event.kind === 'kvm_exit') {
    running.exits += 1;
    if ((event.exit_reason & 0xffff) === TRIPLE_FAULT) {
      running.tripleFault = `vCPU ${event.vcpu_id} met a triple fault at rip 0x${hex(event.guest_rip)}, tick ${tick}`;
      // Deviation: QEMU resets here, and a kernel that cannot start would start again for ever.
      if (running.machine !== undefined) running.machine.state.schedule.ended ??= PANICKED;
    }
  } else if (event.kind === 'sim:guest_panicked') running.panicked = event.by;
}

/** Bytes the guest prints, handed on in pieces as large as they come between two looks. */
function bufferedOutput(output: OutputTo): { take(request: HostRequest): void; flush(): boolean } {
  const lines: number[][] = [[], [], [], []];
  const debugcon: number[] = [];
  return {
    take(request) {
      if (request.ask === 'serial-output') lines[request.line]?.push(request.byte);
      else if (request.ask === 'debugcon-output') debugcon.push(request.byte);
    },
    flush() {
      const hasPrinted = debugcon.length > 0 || lines.some((bytes) => bytes.length > 0);
      for (const [line, bytes] of lines.entries()) {
        if (bytes.length > 0) output.serial(line, Uint8Array.from(bytes.splice(0)));
      }
      if (debugcon.length > 0) output.debugcon(Uint8Array.from(debugcon.splice(0)));
      return hasPrinted;
    },
  };
}

function sessionOf(running: Running, { vmm, kvmState }: Assembled, close: () => void): Session {
  const { machine } = running;
  const irqchip = (): IrqchipState | undefined => kvmState().vm?.irqchip;
  return {
    events: running.history.events,
    states: running.history.states,
    run(milliseconds, paced) {
      const pause = runFor(running, milliseconds, paced);
      running.history.rest(machine);
      if (pause.pause !== 'ended') return pause;
      running.history.end();
      return isKept(running) ? { pause: 'slice' } : pause;
    },
    warp() {
      running.mayWarpTo = Math.max(running.mayWarpTo, nextDeadline(machine) ?? 0);
    },
    type(line, bytes) {
      running.inputs.push({ event: { kind: 'sim:serial_received', line, bytes: Uint8Array.from(bytes) } });
    },
    listens: (line) => isOpen(vmm().describeDevice(`serial${line}`)) || running.polling.awaits(line),
    now: () => machine.now(),
    silence: () => machine.now() - running.printedAt,
    setStopped(stopped) {
      running.stopped = stopped;
    },
    figures: () => ({
      ticks: machine.state.clock.ticks,
      events: machine.state.schedule.seq,
      exits: running.exits,
      virtualNs: machine.now(),
    }),
    flush: () => void running.flushOutput(),
    live: running.live,
    close,
    registers: (vcpu) => describeRegisters(vcpu, machine.engine.registers(vcpu)),
    memoryTree: () => vmm().describeMemory(),
    interruptControllers: () => {
      const chips = irqchip();
      return chips === undefined ? 'There is no in-kernel interrupt controller.' : describeInterruptControllers(chips);
    },
    localApic: (vcpu) => {
      const lapic = irqchip()?.lapics[vcpu];
      return lapic === undefined ? 'There is no in-kernel local APIC.' : describeLapic(vcpu, lapic);
    },
    vcpuCount: () => machine.state.schedule.userspace.length,
    status: () => `VM status: ${running.stopped ? 'paused' : 'running'}, tick ${machine.state.clock.ticks}`,
  };
}

/** Whether a driver has opened a serial line: interrupts for received data, and DTR and RTS up. A probe sets no RTS. */
const isOpen = (uart: Readonly<Record<string, string>> = {}): boolean =>
  (Number(uart['ier'] ?? 0) & 1) === 1 && (Number(uart['mcr'] ?? 0) & 3) === 3;

function nextDeadline({ kvm, vmm }: Machine): number | undefined {
  const next = Math.min(kvm.deadline() ?? Number.POSITIVE_INFINITY, vmm.deadline() ?? Number.POSITIVE_INFINITY);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/** A run that ends before gdb's eyes is kept until gdb has left. */
function isKept({ live }: Running): boolean {
  if (live?.isWatched !== true) return false;
  live.hasEnded = true;
  live.isHeld = true;
  return true;
}

function runFor(running: Running, milliseconds: number, paced: boolean): SessionPause {
  const begun = performance.now();
  try {
    for (;;) {
      const pause = runChunk(running, paced);
      if (pause !== undefined) return pause;
      if (performance.now() - begun >= milliseconds) return { pause: 'slice' };
    }
  } finally {
    if (running.flushOutput()) running.printedAt = running.machine.now();
  }
}

function runChunk(running: Running, paced: boolean): SessionPause | undefined {
  const { machine, tickLimit, keeper, live } = running;
  const { clock } = machine.state;
  const from = clock.ticks;
  const tick = Math.min(from + running.chunk, tickLimit, keeper?.due ?? tickLimit);
  const ns = Math.max(machine.now() + running.chunk * clock.nsPerTick, running.mayWarpTo);
  const begun = performance.now();
  const reason = (live?.timeline ?? machine).advance(paced ? { tick, ns } : { tick });
  adapt(running, clock.ticks - from, performance.now() - begun);
  if (reason.why === 'until') keeper?.keepWhenDue();
  if (running.tripleFault !== undefined) {
    const sentence = `${running.tripleFault}: an exception whose handler could not be entered.`;
    return { pause: 'ended', end: { status: GUEST_FAILED, sentence } };
  }
  if (reason.why === 'ended') return { pause: 'ended', end: endOf(running, reason.ending.why, reason.ending.status) };
  if (reason.why === 'break' && live?.judge?.() === true) {
    live.isHeld = true;
    return { pause: 'slice' };
  }
  if (reason.why === 'idle') return { pause: 'idle', untilNs: undefined };
  if (machine.state.clock.ticks >= tickLimit) {
    return { pause: 'ended', end: { status: 0, sentence: `Stopped after ${tickLimit} ticks as asked.` } };
  }
  if (paced && machine.state.clock.ticks < tick && machine.now() < ns) {
    return { pause: 'idle', untilNs: nextDeadline(machine) };
  }
  return undefined;
}

/** Keep a chunk near a few milliseconds of the host's time, whatever the guest does. */
function adapt(running: Running, ticks: number, milliseconds: number): void {
  if (milliseconds > 2 * MEASURED_MS) running.chunk = Math.max(10_000, Math.floor(running.chunk / 2));
  else if (milliseconds < MEASURED_MS / 2 && ticks >= running.chunk) {
    running.chunk = Math.min(LARGEST_CHUNK, running.chunk * 2);
  }
}

function endOf({ panicked, machine }: Running, why: string, status: number): SessionEnd {
  if (panicked !== undefined) {
    const place = `at tick ${machine.state.clock.ticks}`;
    return { status: GUEST_FAILED, sentence: `The guest cannot go on ${place}: ${panicked}.` };
  }
  return why === 'powered-off' ? { status: 0 } : { status };
}
