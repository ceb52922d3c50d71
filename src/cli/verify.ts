import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { onOneLine } from '../base/printable.ts';
import { progressOf } from '../host/progress.ts';
import { jointAt } from '../host/trace-source.ts';
import type { RunAccess } from '../runs/recorded/recorded-run.ts';
import { DIVERGED } from './statuses.ts';
import type { Print } from './trace-commands.ts';

const BIN = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));

/** How `retrovisor verify` is asked to work. */
export interface VerifyOptions {
  /** Replays at a time. */
  readonly jobs: number | undefined;
  readonly access: RunAccess;
}

interface Verdict {
  readonly path: string;
  readonly status: number;
  readonly text: string;
}

/**
 * `retrovisor verify`: replay each trace in a process of its own, several at a time. Resolves to 0 when all are equal,
 * 3 when one diverged, 1 when one could not be replayed. Of a recording of several machines each is replayed, and what
 * each was given is held to what the others sent.
 */
export async function verify(paths: readonly string[], { jobs, access }: VerifyOptions, print: Print): Promise<number> {
  const verdicts: Verdict[] = [];
  const files = paths.map((path) => ({ path, joint: jointAt(path) }));
  const each = files.flatMap(({ path, joint }) => joint?.machines.map(({ name }) => `${path}:${name}`) ?? [path]);
  const progress = progressOf(`Replaying ${each.length} traces`);
  const queue = [...each];
  const work = async (): Promise<void> => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const verdict = await replayed(path, argumentsFor(access));
      verdicts.push(verdict);
      progress.at(verdicts.length / each.length);
      print(
        `${verdict.status === 0 ? 'equal' : verdict.status === DIVERGED ? 'DIVERGED' : 'PROBLEM'}  ${onOneLine(path)}`,
      );
      if (verdict.status !== 0) for (const line of verdict.text.split('\n')) print(`    ${line}`);
    }
  };
  const workers = Math.min(each.length, jobs ?? availableParallelism());
  await Promise.all(Array.from({ length: workers }, work));
  progress.end();
  let unlike = 0;
  for (const { path, joint } of files) {
    if (joint !== undefined) unlike += (await import('./verify-joint.ts')).faultsBetween(path, joint, print);
  }
  const diverged = verdicts.filter(({ status }) => status === DIVERGED).length;
  const broken = verdicts.filter(({ status }) => status !== 0 && status !== DIVERGED).length;
  const events = verdicts.reduce((sum, { text }) => sum + Number(/^(\d+) events/m.exec(text)?.[1] ?? 0), 0);
  const equal = verdicts.length - diverged - broken;
  print(`${equal} of ${verdicts.length} traces equal (${events} events), ${diverged} diverged, ${broken} not replayed`);
  return diverged + unlike > 0 ? DIVERGED : broken > 0 ? 1 : 0;
}

/** The options of each replay, as they are typed. */
function argumentsFor({ kernel, initrd, bios, optionRom, image = [], acceptCut }: RunAccess): string[] {
  const paths = { '--kernel': kernel, '--initrd': initrd, '--bios': bios, '--option-rom': optionRom };
  return [
    ...Object.entries(paths).flatMap(([option, path]) => (path === undefined ? [] : [option, path])),
    ...image.flatMap((path) => ['--image', path]),
    ...(acceptCut === true ? ['--accept-cut'] : []),
  ];
}

function replayed(path: string, options: readonly string[]): Promise<Verdict> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, 'replay', path, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => pieces.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => pieces.push(bytes));
    child.on('error', (error) => resolve({ path, status: 1, text: error.message }));
    child.on('close', (status) =>
      resolve({ path, status: status ?? 1, text: Buffer.concat(pieces).toString().trim() }),
    );
  });
}
