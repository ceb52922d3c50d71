import { Problem } from '../base/problem.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline } from '../runs/recorded/recorded-run.ts';
import { NODE } from '../host/node.ts';
import { sayCut } from './cut.ts';
import type { LiveRun } from '../runs/underway/live-run.ts';
import { liveSubjectOf } from '../gdb/live-subject.ts';
import { type GdbServer, type GdbServerOptions, serveGdb } from '../gdb/server.ts';
import type { StubSubject } from '../gdb/stub-subject.ts';
import { subjectOf } from '../gdb/subject.ts';
import type { RunOptions } from '../runs/machine/run-options.ts';

/** How `retrovisor gdb` is asked to serve. */
export interface GdbOptions extends ImagePaths {
  readonly port: number;
  readonly once: boolean;
}

const MIB = 2 ** 20;
const HELD_MIB = 1024;

/** `retrovisor gdb`: let a stock gdb stand in a recorded run. Resolves to the process status. */
export async function gdb(path: string, options: GdbOptions): Promise<number> {
  const say = (sentence: string): void => void process.stderr.write(`retrovisor: ${sentence}\n`);
  const recorded = openTimeline(openRecordedRun(NODE, path, { ...options, acceptCut: true }), {
    heldBytes: HELD_MIB * MIB,
    onStoredProblem: say,
  });
  const { damage } = recorded.run.read;
  sayCut(recorded.run.trace);
  if (damage !== undefined) say(damage);
  const server = await listening(subjectOf(recorded), { ...options, say }, '--port');
  process.stdout.write(`Waiting for gdb: target remote 127.0.0.1:${server.port}\n`);
  process.once('SIGINT', () => server.close());
  await server.closed;
  return 0;
}

/** Let a gdb come to a run under way, when that was asked for. */
export async function serveLive(
  live: LiveRun | undefined,
  { gdb: port, startsStopped }: Pick<RunOptions, 'gdb' | 'startsStopped'>,
): Promise<GdbServer | undefined> {
  if (live === undefined || port === undefined) return undefined;
  const say = (sentence: string): void => void process.stderr.write(`retrovisor: ${sentence}\n`);
  const server = await listening(liveSubjectOf(live), { port, once: false, say }, '-gdb tcp::PORT');
  live.isHeld = startsStopped;
  say(`gdb can come: target remote 127.0.0.1:${server.port}`);
  return server;
}

const listening = (subject: StubSubject, options: GdbServerOptions, other: string): Promise<GdbServer> =>
  serveGdb(subject, options).catch((error: unknown) => {
    const why =
      error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' ? 'it is taken' : String(error);
    throw new Problem(`Cannot listen on port ${options.port}: ${why}. Choose another with ${other}.`);
  });
