/** A program of the host's with a connection of a guest's as its standard input and output. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { HostStream, StreamHears } from '../runs/world.ts';

type Program = ChildProcessByStdio<Writable, Readable, null>;

/** Who does not read does not keep the guest waiting: what it says is lost, as on a pipe that is closed. */
const written =
  ({ stdin }: Program): HostStream['write'] =>
  (bytes, taken) =>
    void stdin.write(bytes, () => taken());

/** `HostNetwork.run`. What it says to people goes where this program's complaints go. */
export function joinProgram([name = '', ...words]: readonly string[], hears: StreamHears): HostStream {
  const program = spawn(name, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  let hasEnded = false;
  const ended = (): void => {
    if (!hasEnded) hears.ended();
    hasEnded = true;
  };
  program.stdout.pause();
  program.stdout.on('data', (bytes: Uint8Array) => hears.data(bytes));
  program.stdout.on('end', ended);
  program.stdin.on('error', () => undefined);
  program.stdout.on('error', ended);
  program.on('error', ended);
  return {
    write: written(program),
    shut: () => void program.stdin.end(),
    pause: () => void program.stdout.pause(),
    resume: () => void program.stdout.resume(),
    leave: () => end(program),
    destroy: () => end(program),
  };
}

function end(program: Program): void {
  program.stdin.destroy();
  program.stdout.destroy();
  program.kill();
  program.unref();
}
