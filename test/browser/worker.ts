/** What runs in the page's worker: it replays or records what it is told to, and posts what that came to. */
import { type RanAgain, replay } from '../../src/runs/recorded/run-again.ts';
import type { RunOptions } from '../../src/runs/machine/run-options.ts';
import { record } from '../../src/runs/underway/record.ts';
import { pageWorld } from './world.ts';

/** What the worker is to do with the files at these addresses, each by the name it has in the trace. */
export interface Work {
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
  /** The trace to replay. */
  readonly replay?: string;
  /** The run to record. */
  readonly record?: RunOptions & { readonly trace: string };
}

/** What became of it. */
export interface Done {
  readonly ran?: RanAgain;
  readonly trace?: Uint8Array;
  readonly console?: string;
  readonly failure?: string;
}

async function work({ version, files, ...task }: Work): Promise<Done> {
  const given = new Map<string, Uint8Array>();
  for (const [name, address] of Object.entries(files)) {
    given.set(name, new Uint8Array(await (await fetch(address)).arrayBuffer()));
  }
  const world = await pageWorld(version, given);
  if (task.replay !== undefined) return { ran: await replay(world, task.replay) };
  if (task.record === undefined) return {};
  const { console } = await record(world, task.record);
  return { trace: world.bytesOf(task.record.trace), console };
}

globalThis.onmessage = async ({ data }: MessageEvent<Work>): Promise<void> => {
  const done = await work(data).catch((error: unknown): Done => ({ failure: String((error as Error).stack ?? error) }));
  globalThis.postMessage(done);
};
