import { Problem } from '../base/problem.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { complain, printText } from '../host/output.ts';
import { statusOfRun } from './cut.ts';
import type { LiveRun } from '../runs/underway/live-run.ts';
import { writesIn } from '../gdb/allowed-folder.ts';
import type { LiveMachines } from '../gdb/live-machines.ts';
import { liveSubjectOf } from '../gdb/live-subject.ts';
import { type GdbServer, type GdbServerOptions, serveGdb } from '../gdb/server.ts';
import { oneRun, type Served } from '../gdb/conversation.ts';
import { severalMachines } from '../gdb/several.ts';
import { subjectOf, subjectsOf } from '../gdb/subject.ts';
import { machinesAt } from '../host/trace-source.ts';
import { RecordedMachines } from '../runs/fabric/recorded-machines.ts';
import type { RunOptions } from '../runs/machine/run-options.ts';

/** How `retrovisor gdb` is asked to serve. */
export interface GdbOptions extends ImagePaths {
  readonly host?: string;
  readonly port: number;
  readonly once: boolean;
  /** The folder gdb's commands may write files in; none, when absent. */
  readonly allowWrite?: string;
}

const MIB = 2 ** 20;
const HELD_MIB = 1024;

/** `retrovisor gdb`: let a stock gdb stand in a recorded run. Resolves to the process status. */
export async function gdb(path: string, options: GdbOptions): Promise<number> {
  const { served, status, hint } = servedAt(path, options);
  const { host: address, port, once } = options;
  const asked = { ...(address === undefined ? {} : { address }), port, once, say: complain };
  const server = await listening(served, asked, '--port');
  printText(`Waiting for gdb: target ${hint === '' ? 'remote' : 'extended-remote'} ${server.target}\n${hint}`);
  process.once('SIGINT', () => server.close());
  await server.closed;
  return status;
}

/** What gdb can stand in. */
interface Recorded {
  readonly served: Served;
  readonly status: number;
  /** What is typed to stand in the others. */
  readonly hint: string;
}

/** A recorded run, or all machines of a recording of several. */
function servedAt(path: string, options: GdbOptions): Recorded {
  const access = { ...options, acceptCut: true };
  const writes = writesIn(options.allowWrite);
  const heldBytes = HELD_MIB * MIB;
  const joint = machinesAt(path);
  if (joint === undefined || joint.at !== undefined) {
    const recorded = openTimeline(openRecordedRun(NODE, path, access), { heldBytes, onStoredProblem: complain });
    return { served: oneRun(subjectOf(recorded, writes)), status: statusOfRun(recorded.run), hint: '' };
  }
  const machines = new RecordedMachines(NODE, joint.file, joint.manifest, { access, heldBytes, say: complain });
  const subjects = subjectsOf(machines, writes);
  const statuses = subjects.map((_subject, at) => statusOfRun(machines.timeline(at).run));
  const hint = hintOf(subjects.map(({ name }) => name));
  return { served: severalMachines(subjects, 0), status: Math.max(...statuses), hint };
}

/** What of a run's options is about gdb. */
export type GdbWanted = Pick<RunOptions, 'gdb' | 'gdbAddress' | 'gdbWrites' | 'startsStopped'>;

/** Let a gdb come to a run under way, when that was asked for. */
export async function serveLive(
  live: LiveRun | undefined,
  { gdb: port, gdbAddress: address, gdbWrites, startsStopped }: GdbWanted,
): Promise<GdbServer | undefined> {
  if (live === undefined || port === undefined) return undefined;
  const subject = oneRun(liveSubjectOf(live, writesIn(gdbWrites)));
  const asked = { ...(address === undefined ? {} : { address }), port, once: false, say: complain };
  const server = await listening(subject, asked, '-gdb tcp::PORT');
  live.isHeld = startsStopped;
  complain(`gdb can come: target remote ${server.target}`);
  return server;
}

/** Let a gdb come to several machines under way, each as a process of its own. `names`: theirs, in order. */
export async function serveMachines(
  machines: LiveMachines,
  names: readonly string[],
  { gdb: port = 0, gdbAddress: address, gdbWrites }: Omit<GdbWanted, 'startsStopped'>,
): Promise<GdbServer> {
  const subjects = machines.lives.map((live, at) => ({
    ...liveSubjectOf(live, writesIn(gdbWrites)),
    name: names[at]!,
  }));
  const asked = { ...(address === undefined ? {} : { address }), port, once: false, say: complain };
  const server = await listening(severalMachines(subjects, 0, machines), asked, '-gdb tcp::PORT');
  complain(`gdb can come: target extended-remote ${server.target}\n${hintOf(names)}`.trimEnd());
  return server;
}

/** What is typed to stand in the others. */
function hintOf(names: readonly string[]): string {
  const others = names.slice(1).map((name, at) => `  ${name}: add-inferior, inferior ${at + 2}, attach ${at + 2}\n`);
  return `It is ${names[0]}'s.\n${others.join('')}With \`set schedule-multiple on\` all go together.\n`;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is taken',
  EACCES: 'permission is denied',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  ENOTFOUND: 'there is no such host',
};

const listening = (served: Served, options: GdbServerOptions, other: string): Promise<GdbServer> =>
  serveGdb(served, options).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const at = options.address === undefined ? '' : ` of ${options.address}`;
    const why = REASONS[code] ?? String(error);
    throw new Problem(`Cannot listen on port ${options.port}${at}: ${why}. Choose another with ${other}.`);
  });
