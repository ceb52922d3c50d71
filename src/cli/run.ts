import { closeSync, openSync, writeSync } from 'node:fs';
import { worldProblem } from '../host/files.ts';
import type { CharacterPort } from '../runs/run-inputs.ts';
import { openSession } from '../runs/underway/open-session.ts';
import { NODE } from '../host/node.ts';
import { openSockets } from '../runs/underway/open-sockets.ts';
import type { OutputTo } from '../runs/underway/printed.ts';
import type { Session, SessionEnd } from '../runs/underway/session.ts';
import { complain, printText } from '../host/output.ts';
import { BrokenPipe, openTerminal, statusOf, type Terminal } from '../host/terminal.ts';
import { openPseudoTerminal } from '../host/pseudo-terminal.ts';
import { openSocket } from '../host/socket.ts';
import { type PeerAt, runConsole } from './console.ts';
import type { GdbServer } from '../gdb/server.ts';
import { closingLine, openingLine } from './run-lines.ts';
import type { CharacterBackend, CharacterDevice, PeerBackend, RunOptions } from '../runs/machine/run-options.ts';
import { typist } from '../runs/underway/typist.ts';

/** `retrovisor run`: boot a guest with its console here. Resolves to the process status. */
export async function run(options: RunOptions): Promise<number> {
  warn(options.warnings);
  return runWith(options);
}

/** After what the guest printed: on a terminal its line may not have ended. */
function tell(sentence: string): void {
  if (process.stdout.isTTY === true) printText('\n');
  complain(sentence);
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) complain(warning);
}

/** Boot what the options say, joined to this process' terminal. */
async function runWith(options: RunOptions): Promise<number> {
  const person = ports(options).find(({ backend }) => backend.to === 'stdio');
  const terminal = openTerminal(person !== undefined);
  // What listens, waits for signals or looks now and then would keep a process whose run did not come about.
  const opened: { close(): void }[] = [terminal];
  const script = typist(options.typed);
  const monitor = person?.backend.to === 'stdio' && person.backend.monitor;
  try {
    const peers: Peers = new Map();
    opened.push({ close: () => peers.forEach(({ peer }) => peer.close()) });
    await openPeers(options, peers, terminal.rouse);
    const outputs = outputsOf(options, { terminal, peers }, (bytes) => script.hear(bytes));
    opened.push(outputs);
    const sockets = await openSockets(NODE, options);
    if (sockets !== undefined) opened.push(sockets);
    const session = openSession(NODE, options, outputs.to, sockets);
    warn(session.warnings);
    if (!options.quiet) complain(openingLine(options, { interactive: terminal.interactive, monitor }));
    return await recorded(options, session, (server) =>
      runConsole(session, terminal, {
        monitor,
        line: person?.at,
        scripted: (person ?? ports(options)[0])?.at ?? 0,
        typist: script,
        peers: [...peers.values()],
        keepsOff: options.keepsOff,
        endsByItself: options.ticks !== undefined || options.powerLossAt !== undefined,
        startsStopped: options.startsStopped && server === undefined,
      }),
    );
  } finally {
    for (const each of opened.reverse()) each.close();
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
      if (!options.quiet) tell(closingLine(options, session.figures(), end));
      else if (end.sentence !== undefined) tell(end.sentence);
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

/** Whoever stands at the other end of a backend. */
type Peers = Map<PeerBackend, PeerAt>;

/** Open the sockets and pseudo terminals that serial lines and devices are joined to. */
async function openPeers({ serial, characters }: RunOptions, peers: Peers, rouse: () => void): Promise<void> {
  const joined = [...serial.map((backend, at) => ({ at, backend })), ...characters.map(toPort)];
  for (const { at, backend } of joined) {
    if ((backend.to !== 'socket' && backend.to !== 'pty') || peers.has(backend)) continue;
    const peer = backend.to === 'pty' ? openPseudoTerminal(backend.label, rouse) : await openSocket(backend, rouse);
    peers.set(backend, { at, peer, waits: backend.to === 'socket' && backend.waits });
    // QEMU's words, and where QEMU says them: scripts look for them.
    if (backend.to === 'pty') printText(`char device redirected to ${peer.where} (label ${backend.label})\n`);
    else if (backend.server) complain(`A console can come to ${peer.where}.`);
  }
}

const toPort = ({ dev: at, backend }: CharacterDevice) => ({ at, backend });

/** Open what the serial lines and devices write to. The script hears line 0, or where there is none the devices. */
function outputsOf(
  options: RunOptions,
  { terminal, peers }: { readonly terminal: Terminal; readonly peers: ReadonlyMap<PeerBackend, PeerAt> },
  hear: (bytes: Uint8Array) => void,
): { readonly to: OutputTo; close(): void } {
  const files: number[] = [];
  const writer = (backend: CharacterBackend): ((bytes: Uint8Array) => void) => {
    if (backend.to === 'none') return () => undefined;
    if (backend.to === 'stdio') return (bytes) => terminal.write(bytes);
    if (backend.to === 'socket' || backend.to === 'pty') return (bytes) => peers.get(backend)?.peer.write(bytes);
    const file = openForWriting(backend.path);
    files.push(file);
    return (bytes) => writeWhole(file, bytes, backend.path);
  };
  const lines = options.serial.map(writer);
  const devices = new Map(options.characters.map(({ dev, backend }) => [dev, writer(backend)]));
  const dumps = new Map(options.dumps.map(({ id, path }) => [id, writer({ to: 'file', path })]));
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
      dump: (id, bytes) => dumps.get(id)?.(bytes),
      rouse: terminal.rouse,
      notice: tell,
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
