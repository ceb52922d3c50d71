import { writeSync } from 'node:fs';
import { Problem } from '../base/problem.ts';
import { worldProblem } from './files.ts';

/** The terminal, pipe or file the command line is attached to. */
export interface Terminal {
  /** True when a person can type here. */
  readonly interactive: boolean;
  /** Bytes typed or piped since the last call. */
  take(): Uint8Array[];
  /** True once no further byte can come. */
  ended(): boolean;
  write(bytes: Uint8Array | string): void;
  /** Resolves when bytes came, the input ended, a signal asked to end, somebody rouses, or the time is over. */
  wait(milliseconds: number): Promise<void>;
  /** There is something to do. */
  rouse(): void;
  /** The signal that asked us to end, if one did. */
  signal(): NodeJS.Signals | undefined;
  /** Give the terminal back as it was. May be called more than once. */
  close(): void;
}

/** Bytes kept until somebody takes them: standard input is read no further than that. */
const MOST_KEPT = 1 << 16;

/** Who read standard output does so no more, as in `| head -1`: nobody is told, and the status is SIGPIPE's. */
export class BrokenPipe extends Problem {
  constructor() {
    super('Nobody reads standard output any more.');
    this.name = 'BrokenPipe';
  }
}

/** What ends a run whose trace is closed, with the numbers a status is made of. */
const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGPIPE: 13, SIGTERM: 15 };

/** The status of a process that a signal ended. */
export const statusOf = (signal: NodeJS.Signals): number => 128 + (SIGNALS[signal] ?? 0);

/** Those one hears of; what SIGPIPE says is heard when one writes. */
const HEARD = (Object.keys(SIGNALS) as NodeJS.Signals[]).filter((signal) => signal !== 'SIGPIPE');

/** Open standard input and output as a guest's console: raw keys on a terminal, plain bytes on a pipe. */
export function openTerminal(reads: boolean): Terminal {
  const { stdin } = process;
  const interactive = reads && stdin.isTTY === true && process.stdout.isTTY === true;
  let taken: Uint8Array[] = [];
  let size = 0;
  const isFull = (): boolean => size >= MOST_KEPT && !interactive;
  let over = !reads;
  let asked: NodeJS.Signals | undefined;
  let wake: (() => void) | undefined;
  const rouse = (): void => wake?.();
  const onBytes = (bytes: Uint8Array): void => {
    taken.push(bytes);
    size += bytes.length;
    if (isFull()) stdin.pause();
    rouse();
  };
  const onEnd = (): void => {
    over = true;
    rouse();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked !== undefined) process.exit(statusOf(signal));
    asked = signal;
    rouse();
  };
  const restore = (): void => {
    if (interactive && stdin.isRaw) stdin.setRawMode(false);
  };
  if (interactive) stdin.setRawMode(true);
  if (reads) stdin.on('data', onBytes).on('end', onEnd).on('error', onEnd).resume();
  for (const signal of HEARD) process.on(signal, onSignal);
  process.on('SIGXFSZ', told);
  process.on('exit', restore);
  return {
    interactive,
    take() {
      const bytes = taken;
      if (isFull()) stdin.resume();
      taken = [];
      size = 0;
      return bytes;
    },
    ended: () => over,
    write: (bytes) => writeOut(typeof bytes === 'string' ? Buffer.from(bytes) : bytes),
    wait: (milliseconds) => {
      // What nobody has taken although there is much of it is nothing new.
      const ready = (taken.length > 0 && !isFull()) || asked !== undefined;
      return new Promise((resolve) => {
        const timer = setTimeout(done, ready ? 0 : milliseconds);
        function done(): void {
          clearTimeout(timer);
          wake = undefined;
          resolve();
        }
        wake = done;
      });
    },
    rouse,
    signal: () => asked,
    close() {
      restore();
      stdin.off('data', onBytes).off('end', onEnd).off('error', onEnd);
      if (reads) stdin.pause();
      for (const signal of HEARD) process.off(signal, onSignal);
      process.off('SIGXFSZ', told);
      process.off('exit', restore);
    },
  };
}

/** A file that may not grow: whoever writes is told so. */
const told = (): void => undefined;

/** Why nothing more can be said: nobody listens, or there is no room. */
export const outputProblem = (error: unknown): Problem =>
  (error as NodeJS.ErrnoException).code === 'EPIPE'
    ? new BrokenPipe()
    : worldProblem('write to', 'standard output', error);

/** Write to standard output at once and completely, also when it is a pipe that is full for a moment. */
export function writeOut(bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') throw outputProblem(error);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
