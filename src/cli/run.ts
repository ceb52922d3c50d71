import { closeSync, openSync, writeSync } from 'node:fs';
import { worldProblem } from '../host/files.ts';
import type { CharacterPort } from '../runs/run-inputs.ts';
import { openSession } from '../runs/underway/open-session.ts';
import { NODE } from '../host/node.ts';
import type { OutputTo } from '../runs/underway/printed.ts';
import type { SessionEnd } from '../runs/underway/session.ts';
import { openTerminal, type Terminal } from '../host/terminal.ts';
import { runConsole } from './console.ts';
import type { GdbServer } from '../gdb/server.ts';
import { runOptions } from '../options/run-arguments.ts';
import type { CharacterBackend, RunOptions } from '../runs/machine/run-options.ts';
import { typist } from '../runs/underway/typist.ts';

/** `retrovisor run`: boot a guest with its console here. Resolves to the process status. */
export async function run(argv: readonly string[]): Promise<number> {
  const options = runOptions(argv);
  warn(options.warnings);
  const { status, sentence } = await runWith(options);
  if (sentence !== undefined)
    process.stderr.write(`${process.stdout.isTTY === true ? '\n' : ''}retrovisor: ${sentence}\n`);
  return status;
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`retrovisor: ${warning}\n`);
}

/** Boot what the options say, joined to this process' terminal. */
async function runWith(options: RunOptions): Promise<SessionEnd> {
  const person = ports(options).find(({ backend }) => backend.to === 'stdio');
  const terminal = openTerminal(person !== undefined);
  const script = typist(options.typed);
  const outputs = outputsOf(options, terminal, (bytes) => script.hear(bytes));
  try {
    const session = openSession(NODE, options, outputs.to);
    warn(session.warnings);
    let server: GdbServer | undefined;
    try {
      if (options.gdb !== undefined) server = await (await import('./gdb.ts')).serveLive(session.live, options);
      return await runConsole(session, terminal, {
        monitor: person?.backend.to === 'stdio' && person.backend.monitor,
        line: person?.at,
        scripted: (person ?? ports(options)[0])?.at ?? 0,
        typist: script,
        startsStopped: options.startsStopped && server === undefined,
      });
    } finally {
      server?.close();
      session.close();
    }
  } finally {
    outputs.close();
    terminal.close();
  }
}

/** What can be typed at, the serial lines first. */
const ports = ({
  serial,
  characters,
}: RunOptions): { readonly at: CharacterPort; readonly backend: CharacterBackend }[] => [
  ...serial.map((backend, at) => ({ at, backend })),
  ...characters.flatMap(({ dev: at, backend, hears }) => (hears ? [{ at, backend }] : [])),
];

/** Open what the serial lines and devices write to. The script hears line 0, or where there is none the devices. */
function outputsOf(
  options: RunOptions,
  terminal: Terminal,
  hear: (bytes: Uint8Array) => void,
): { readonly to: OutputTo; close(): void } {
  const files: number[] = [];
  const writer = (backend: CharacterBackend): ((bytes: Uint8Array) => void) => {
    if (backend.to === 'none') return () => undefined;
    if (backend.to === 'stdio') return (bytes) => terminal.write(bytes);
    const file = openForWriting(backend.path);
    files.push(file);
    return (bytes) => void writeSync(file, bytes);
  };
  const lines = options.serial.map(writer);
  const devices = new Map(options.characters.map(({ dev, backend }) => [dev, writer(backend)]));
  return {
    to: {
      serial(line, bytes) {
        if (line === 0) hear(bytes);
        lines[line]?.(bytes);
      },
      character(dev, bytes) {
        if (lines.length === 0) hear(bytes);
        devices.get(dev)?.(bytes);
      },
    },
    close() {
      for (const file of files) closeSync(file);
    },
  };
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw worldProblem('write', path, error);
  }
}
