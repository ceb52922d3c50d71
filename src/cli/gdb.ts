import { Problem } from '../base/problem.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { complain, printText } from '../host/output.ts';
import { statusOfRun } from './cut.ts';
import type { LiveRun } from '../runs/underway/live-run.ts';
import { writesIn } from '../gdb/allowed-folder.ts';
import { liveSubjectOf } from '../gdb/live-subject.ts';
import { type GdbServer, type GdbServerOptions, serveGdb } from '../gdb/server.ts';
import type { StubSubject } from '../gdb/stub-subject.ts';
import { subjectOf } from '../gdb/subject.ts';
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
  const recorded = openTimeline(openRecordedRun(NODE, path, { ...options, acceptCut: true }), {
    heldBytes: HELD_MIB * MIB,
    onStoredProblem: complain,
  });
  const status = statusOfRun(recorded.run);
  const { host: address, port, once } = options;
  const asked = { ...(address === undefined ? {} : { address }), port, once, say: complain };
  const server = await listening(subjectOf(recorded, writesIn(options.allowWrite)), asked, '--port');
  printText(`Waiting for gdb: target remote ${server.target}\n`);
  process.once('SIGINT', () => server.close());
  await server.closed;
  return status;
}

/** What of a run's options is about gdb. */
export type GdbWanted = Pick<RunOptions, 'gdb' | 'gdbAddress' | 'gdbWrites' | 'startsStopped'>;

/** Let a gdb come to a run under way, when that was asked for. */
export async function serveLive(
  live: LiveRun | undefined,
  { gdb: port, gdbAddress: address, gdbWrites, startsStopped }: GdbWanted,
): Promise<GdbServer | undefined> {
  if (live === undefined || port === undefined) return undefined;
  const subject = liveSubjectOf(live, writesIn(gdbWrites));
  const asked = { ...(address === undefined ? {} : { address }), port, once: false, say: complain };
  const server = await listening(subject, asked, '-gdb tcp::PORT');
  live.isHeld = startsStopped;
  complain(`gdb can come: target remote ${server.target}`);
  return server;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is taken',
  EACCES: 'permission is denied',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  ENOTFOUND: 'there is no such host',
};

const listening = (subject: StubSubject, options: GdbServerOptions, other: string): Promise<GdbServer> =>
  serveGdb(subject, options).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const at = options.address === undefined ? '' : ` of ${options.address}`;
    const why = REASONS[code] ?? String(error);
    throw new Problem(`Cannot listen on port ${options.port}${at}: ${why}. Choose another with ${other}.`);
  });
