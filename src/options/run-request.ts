import type { Costs } from '../events/costs.ts';
import { runOptions } from './run-arguments.ts';
import type { RunOptions } from '../runs/machine/run-options.ts';

/**
 * What to run: a guest and its machine, in the words of `retrovisor run` and QEMU. Our own guest runs when neither
 * `kernel` nor `bios` is given.
 */
export interface RunRequest {
  /** Paths of images. */
  readonly kernel?: string;
  readonly initrd?: string;
  readonly bios?: string;
  readonly optionRom?: string;
  /** The name the guest sees for its kernel; usually the file's base name. */
  readonly kernelName?: string;
  /** The kernel's command line. */
  readonly append?: string;
  /** MiB; usually 128. */
  readonly memory?: number;
  /** Processors, 1 to 4; usually 1. */
  readonly smp?: number;
  /** `-cpu`: model and features. */
  readonly cpu?: string;
  /** `-device`, one by one: `isa-debug-exit,iobase=0xf4,iosize=4`. */
  readonly devices?: readonly string[];
  /** `-drive`, one by one: `file=disk.raw,if=virtio`. */
  readonly drives?: readonly string[];
  /** `-object`, one by one: `iothread,id=io0`. */
  readonly objects?: readonly string[];
  /** Write what the guest wrote to its drives into their images at the end. */
  readonly commit?: boolean;
  readonly noDefaults?: boolean;
  /** A reset ends the run. */
  readonly noReboot?: boolean;
  /** What all chance is drawn from; usually '1'. */
  readonly seed?: string;
  /** Time at power-on: ISO form or seconds since 1970. Usually the host's, read once and recorded. */
  readonly wallClock?: string | number;
  /** Virtual nanoseconds per instruction; usually 8. */
  readonly nsPerTick?: number;
  /** Virtual nanoseconds of what the host does, by the names of `--cost`. */
  readonly costs?: Partial<Costs>;
  /** Lose the power at a virtual time, like `2.5s`, or after so many instructions. */
  readonly powerLoss?: string | number;
  /** Stop after so many instructions. */
  readonly ticks?: number;
  /** Families of events that are told only when asked for. */
  readonly events?: readonly 'guest-pt'[];
  /** Where to record; nowhere when absent. */
  readonly trace?: string;
  /** Keep the recording in files of at most so many MiB, read as one. */
  readonly tracePieces?: number;
  /** Leave checkpoints beside the trace. */
  readonly checkpoints?: boolean;
  /** Type `text` once the guest has printed `after`; in this order. */
  readonly typed?: readonly { readonly after: string; readonly text: string }[];
}

/** Options in the spelling of the command line, or as a request. */
export type RunArguments = RunRequest | readonly string[];

/** Understand what to run. Throws a Problem naming the first thing wrong. */
export function understoodRun(wanted: RunArguments): RunOptions {
  if (isSpelled(wanted)) return runOptions(wanted);
  const { typed = [] } = wanted;
  return { ...runOptions(argumentsOf(wanted)), typed };
}

const isSpelled = (wanted: RunArguments): wanted is readonly string[] => Array.isArray(wanted);

function argumentsOf(wanted: RunRequest): string[] {
  const {
    trace,
    checkpoints,
    commit,
    noDefaults,
    noReboot,
    devices = [],
    drives = [],
    objects = [],
    events = [],
    costs = {},
  } = wanted;
  const valued: readonly (readonly [string, string | number | undefined])[] = [
    ['-kernel', wanted.kernel],
    ['-initrd', wanted.initrd],
    ['-bios', wanted.bios],
    ['-option-rom', wanted.optionRom],
    ['--kernel-name', wanted.kernelName],
    ['-append', wanted.append],
    ['-m', wanted.memory],
    ['-smp', wanted.smp],
    ['-cpu', wanted.cpu],
    ['--seed', wanted.seed],
    ['--wall-clock', wanted.wallClock],
    ['--ns-per-tick', wanted.nsPerTick],
    ['--power-loss', wanted.powerLoss],
    ['--ticks', wanted.ticks],
    ['--trace-pieces', wanted.tracePieces],
    ...drives.map((drive) => ['-drive', drive] as const),
    ...objects.map((object) => ['-object', object] as const),
    ...devices.map((device) => ['-device', device] as const),
    ...Object.entries(costs).map(([name, ns]) => ['--cost', `${name}=${ns}`] as const),
    ...events.map((family) => ['--events', family] as const),
  ];
  return [
    ...valued.flatMap(([option, value]) => (value === undefined ? [] : [option, String(value)])),
    ...(trace === undefined ? ['--no-trace'] : ['--trace', trace]),
    ...(commit === true ? ['--commit'] : []),
    ...(checkpoints === true ? ['--checkpoints'] : []),
    ...(noDefaults === true ? ['-nodefaults'] : []),
    ...(noReboot === true ? ['-no-reboot'] : []),
  ];
}
