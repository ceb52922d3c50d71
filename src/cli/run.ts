import { closeSync, openSync, writeSync } from 'node:fs';
import { worldProblem } from '../host/files.ts';
import type { CharacterPort } from '../runs/run-inputs.ts';
import { openSession } from '../runs/underway/open-session.ts';
import { NODE } from '../host/node.ts';
import type { OutputTo } from '../runs/underway/printed.ts';
import type { Session, SessionEnd } from '../runs/underway/session.ts';
import { BrokenPipe, openTerminal, statusOf, type Terminal } from '../host/terminal.ts';
import { runConsole } from './console.ts';
import type { GdbServer } from '../gdb/server.ts';
import { closingLine, openingLine } from './run-lines.ts';
import { runOptions } from '../options/run-arguments.ts';
import type { CharacterBackend, RunOptions } from '../runs/machine/run-options.ts';
import { typist } from '../runs/underway/typist.ts';

/** `retrovisor run`: boot a guest with its console here. Resolves to the process status. */
export async function run(argv: readonly string[]): Promise<number> {
  const options = runOptions(argv);
  for (const warning of options.warnings) say(warning);
  return runWith(options);
}

const say = (sentence: string): void => void process.stderr.write(`retrovisor: ${sentence}\n`);

/** After what the guest printed: on a terminal its line may not have ended. */
const sayAtEnd = (sentence: string): void => {
  if (process.stdout.isTTY === true) process.stderr.write('\n');
  say(sentence);
};

/** Boot what the options say, joined to this process' terminal. */
async function runWith(options: RunOptions): Promise<number> {
  const person = ports(options).find(({ backend }) => backend.to === 'stdio');
  const terminal = openTerminal(person !== undefined);
  const script = typist(options.typed);
  const outputs = outputsOf(options, terminal, (bytes) => script.hear(bytes));
  const monitor = person?.backend.to === 'stdio' && person.backend.monitor;
  try {
    const session = openSession(NODE, options, outputs.to);
    if (!options.quiet) say(openingLine(options, { interactive: terminal.interactive, monitor }));
    return await recorded(options, session, (server) =>
      runConsole(session, terminal, {
        monitor,
        line: person?.at,
        scripted: (person ?? ports(options)[0])?.at ?? 0,
        typist: script,
        startsStopped: options.startsStopped && server === undefined,
      }),
    );
  } finally {
    outputs.close();
    terminal.close();
  }
}

/** Let a session run until somebody has an end for it, close it however that came, and say what it came to. */
async function recorded(
  options: RunOptions,
  session: Session,
  watch: (server: GdbServer | undefined) => Promise<SessionEnd>,
): Promise<number> {
  let server: GdbServer | undefined;
  let end: Partial<SessionEnd> = {};
  // An error nobody foresaw must not leave half a trace.
  const forget = NODE.atExit(() => session.close());
  try {
    if (options.gdb !== undefined) server = await (await import('./gdb.ts')).serveLive(session.live, options);
    end = await watch(server);
  } catch (error) {
    if (error instanceof BrokenPipe) end = { status: statusOf('SIGPIPE'), sentence: error.message };
    else throw error;
  } finally {
    server?.close();
    try {
      session.close();
    } finally {
      forget();
      if (!options.quiet) sayAtEnd(closingLine(options, session.figures(), end));
      else if (end.sentence !== undefined) sayAtEnd(end.sentence);
    }
  }
  return end.status ?? 0;
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
    return (bytes) => writeWhole(file, bytes, backend.path);
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

function writeWhole(file: number, bytes: Uint8Array, path: string): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } catch (error) {
    throw worldProblem('write', path, error);
  }
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw worldProblem('write', path, error);
  }
}
