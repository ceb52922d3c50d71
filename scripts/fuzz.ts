/**
 * Read files that no writer wrote, in great number: traces, checkpoints, kernels, firmware, symbols.
 * `npx tsx scripts/fuzz.ts CASES [SEED]` reads them in a process that is started again when one breaks it;
 * `npx tsx scripts/fuzz.ts --commands CASES [SEED]` gives each to the command itself, watched by strace where it is.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fuzzCommands } from './fuzz/commands.ts';
import { type Outcome, tryCase } from '../test/fuzz/judge.ts';
import { makeSamples } from '../test/fuzz/samples.ts';

const HANGS_AFTER_MS = 60_000;
const SAID_EVERY = 500;
const WORKER = 'RETROVISOR_FUZZ_WORKER';

/** Try cases as they are asked for. */
function work(folder: string): void {
  const samples = makeSamples(folder);
  process.on('message', (seed: string) => void tryCase(samples, seed).then((outcome) => process.send?.(outcome)));
  process.send?.('ready');
}

const next = (worker: ChildProcess): Promise<Outcome | 'ready' | undefined> =>
  new Promise((resolve) => {
    const silent = setTimeout(() => worker.kill('SIGKILL'), HANGS_AFTER_MS);
    const done = (said?: Outcome | 'ready'): void => {
      clearTimeout(silent);
      worker.removeAllListeners();
      resolve(said);
    };
    worker.once('message', (said) => done(said as Outcome));
    worker.once('exit', () => done());
  });

async function started(folder: string): Promise<ChildProcess> {
  const execArgv = [...process.execArgv, '--max-old-space-size=768'];
  const worker = fork(fileURLToPath(import.meta.url), [folder], { env: { ...process.env, [WORKER]: '1' }, execArgv });
  await next(worker);
  return worker;
}

/** Resolves to how many were broken. */
async function fuzzHere(folder: string, count: number, from: string): Promise<number> {
  const came: Record<string, number> = { read: 0, refused: 0, broken: 0 };
  let worker = await started(folder);
  for (let at = 0; at < count; at += 1) {
    const seed = `${from} ${at}`;
    const said = next(worker);
    worker.send(seed);
    const reply = await said;
    const ended = reply === undefined;
    const outcome = reply ?? { how: seed, came: 'broken', why: 'the process hung, or ended' };
    if (outcome === 'ready') throw new Error('a worker was ready twice');
    came[outcome.came]! += 1;
    if (outcome.came === 'broken') process.stdout.write(`${outcome.how}: ${outcome.why}\n`);
    if (ended) worker = await started(folder);
    if ((at + 1) % SAID_EVERY === 0) process.stdout.write(`${at + 1} cases: ${JSON.stringify(came)}\n`);
  }
  worker.kill();
  process.stdout.write(`${count} cases from ${from}: ${JSON.stringify(came)}\n`);
  return came['broken'] ?? 0;
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const byCommands = words[0] === '--commands';
  const [count = '1000', from = 'fuzz'] = byCommands ? words.slice(1) : words;
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-fuzz-'));
  try {
    const broken = await (byCommands ? fuzzCommands : fuzzHere)(folder, Number(count), from);
    process.exitCode = broken === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.env[WORKER] === '1') work(process.argv[2] as string);
else await main();
