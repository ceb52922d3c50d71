/**
 * Debian's kernel on four processors, every write to its page tables recorded, disturbed while it runs: typed at key by
 * key, paused and let go on, gdb attached and detached, at moments drawn by seed. Each recording is replayed in another
 * process and folded, and all must come out equal, the end states too; with `--drop-caches N` it is replayed once more
 * by a processor that loses its caches at N random ticks. Two boots at a time. Needs `npm run guests`, gdb and script.
 * `npx tsx scripts/disturbed.ts [--seeds 40] [--from 1] [--at-once 2] [--drop-caches 1000] [--keep FOLDER]
 * [--without-tables]`.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tool } from '../test/stepping-aside.ts';
import type { WithoutCaches } from '../test/engine/replayed-without-caches.ts';
import { bootDisturbed, type Disturbances } from './disturbance/boot.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const GUESTS = join(ROOT, '.guests');
const APPEND = 'console=ttyS0 panic=-1 cryptomgr.notests=1';
const HEARTBEAT_MS = 20_000;

interface Campaign {
  readonly folder: string;
  readonly keeps: boolean;
  readonly drops: number;
  readonly withTables: boolean;
}

interface Row {
  readonly seed: string;
  readonly done: Disturbances;
  /** Bytes typed and changes made by gdb, as the trace has them. */
  readonly typed: number;
  readonly changes: number;
  readonly events: string;
  readonly digest: string;
  readonly caches: string;
  readonly problems: readonly string[];
}

interface Ran {
  readonly status: number | null;
  readonly out: string;
}

/** Run a program to its end while others run. */
function ran(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => void (out += String(bytes)));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, out })));
}

function bootCommand(seed: string, trace: string, { withTables }: Campaign): string[] {
  return [
    ...[process.execPath, BIN, 'run', '-m', '256', '-smp', '4', '-nodefaults', '-no-reboot', '--seed', seed],
    ...['-kernel', join(GUESTS, 'vmlinuz'), '-initrd', join(GUESTS, 'initramfs.gz'), '-append', APPEND],
    ...['-serial', 'mon:stdio', '-gdb', 'tcp::0', '--wall-clock', '1700000000', '--trace', trace],
    ...(withTables ? ['--events', 'guest-pt'] : []),
  ];
}

/** What every seed does at the moment, for the heartbeat. */
const underWay = new Map<string, () => string>();

async function oneSeed(seed: string, campaign: Campaign): Promise<Row> {
  const trace = join(campaign.folder, `${seed}.trace`);
  const problems: string[] = [];
  const { done, ended } = bootDisturbed(bootCommand(seed, trace, campaign), seed, campaign.folder);
  underWay.set(seed, () => `records, ${done.keys} keys, ${done.pauses} pauses, ${done.gdbs} gdbs`);
  const { status, shown } = await ended;
  if (status !== 0) problems.push(`status ${status}: ${shown.trim().split('\n').at(-1)}`);
  if (!shown.includes('reboot: Power down')) problems.push('the guest did not power off');
  if (done.gdbs === 0 || done.pauses === 0) problems.push('nothing disturbed it');
  underWay.set(seed, () => 'replays');
  const replayed = await ran(BIN, 'replay', trace);
  underWay.set(seed, () => 'folds');
  const compared = await compare(trace, replayed, problems);
  underWay.set(seed, () => 'replays without caches');
  const caches =
    campaign.drops === 0 ? '' : await withoutCaches(trace, seed, campaign.drops, compared.digest, problems);
  underWay.delete(seed);
  if (!campaign.keeps && problems.length === 0) rmSync(trace, { force: true });
  return { seed, done, ...compared, caches, problems };
}

const lastLine = ({ out }: Ran): string => out.trim().split('\n').at(-1) ?? '';
const digestIn = ({ out }: Ran): string => /digest ([0-9a-f]+)/.exec(out)?.[1] ?? 'none';

/** The last events are digests of memory and of every slice; the states at the end have one digest, too. */
async function compare(trace: string, replayed: Ran, problems: string[]) {
  if (replayed.status !== 0 || !replayed.out.includes('0 divergences')) problems.push(`replay: ${lastLine(replayed)}`);
  const folded = await ran(BIN, 'fold', trace);
  if (folded.status !== 0) problems.push(`fold: ${lastLine(folded)}`);
  const digest = digestIn(replayed);
  if (!digest.startsWith(digestIn(folded))) problems.push(`end states differ: ${digest}, folded ${digestIn(folded)}`);
  const listed = await ran(BIN, 'events', trace, '--json', '-e', 'sim:serial_received', 'sim:intervened', 'sim:digest');
  const events = listed.out.trim().split('\n');
  const last = JSON.parse(events.at(-1) ?? '{}') as { readonly seq?: number };
  const count = /(\d+) events and/.exec(replayed.out)?.[1] ?? '?';
  if (last.seq !== Number(count) - 1) problems.push(`the last of ${count} events is no digest`);
  const bytes = events.map((line) => typedBytes(line));
  return {
    events: count,
    digest,
    typed: bytes.reduce((sum, each) => sum + each, 0),
    changes: events.filter((line) => line.includes('"sim:intervened"')).length,
  };
}

function typedBytes(line: string): number {
  if (!line.includes('"sim:serial_received"')) return 0;
  const { event, bytes } = JSON.parse(line) as { readonly event?: { readonly bytes: string }; readonly bytes?: string };
  return (event?.bytes ?? bytes ?? '').length / 2;
}

async function withoutCaches(
  trace: string,
  seed: string,
  drops: number,
  digest: string,
  problems: string[],
): Promise<string> {
  const script = join(ROOT, 'scripts/replay-without-caches.ts');
  const again = await ran('--import', 'tsx', script, trace, '--drops', `${drops}`, '--seed', seed);
  if (again.status !== 0) problems.push(`without caches: ${lastLine(again)}`);
  if (!lastLine(again).startsWith('{')) return '';
  const { afterDrops, otherwise, ...replayed } = JSON.parse(lastLine(again)) as WithoutCaches;
  if (replayed.digest !== digest) problems.push(`without caches: digest ${replayed.digest}`);
  const fewest = afterDrops.windows;
  if (afterDrops.codePages < fewest || afterDrops.translations < fewest) problems.push('the caches were not dropped');
  const [lost, kept] = [afterDrops, otherwise].map((r) => `${r.translations} + ${r.codePages}`);
  return `${afterDrops.windows} drops: ${lost} refills (else ${kept})`;
}

function tell({ seed, done, typed, changes, events, digest, caches, problems }: Row): void {
  const figures = [events, typed, done.pauses, done.gdbs, done.interrupts, changes];
  const cells = figures.map((figure) => `${figure}`.padStart(9)).join('');
  const verdict = problems.length === 0 ? '0 divergences' : `FAILED: ${problems.join('; ')}`;
  console.log(`${seed.padEnd(6)}${cells}  ${digest}  ${verdict}${caches === '' ? '' : `  ${caches}`}`);
}

function missing(): string | undefined {
  const file = ['vmlinuz', 'initramfs.gz'].find((name) => !existsSync(join(GUESTS, name)));
  if (file !== undefined) return `.guests/${file} is not here: \`npm run guests\` fetches it.`;
  return (tool('gdb') ?? tool('script'))?.why;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '40' },
      from: { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '2' },
      'drop-caches': { type: 'string', default: '0' },
      'without-tables': { type: 'boolean', default: false },
      keep: { type: 'string' },
    },
  });
  const lack = missing();
  if (lack !== undefined) {
    console.error(lack);
    return 2;
  }
  if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-disturbed-'));
  const keeps = values.keep !== undefined;
  const campaign = { folder, keeps, drops: Number(values['drop-caches']), withTables: !values['without-tables'] };
  const failed = await all(Number(values.from), Number(values.seeds), Number(values['at-once']), campaign);
  if (!keeps && failed === 0) rmSync(folder, { recursive: true, force: true });
  else console.log(`Traces are in ${folder}.`);
  console.log(`${Number(values.seeds) - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Run the seeds, so many at once; resolves to the number that failed. */
async function all(from: number, count: number, atOnce: number, campaign: Campaign): Promise<number> {
  const heads = ['events', 'typed', 'pauses', 'gdbs', 'ctrl-c', 'changed'];
  console.log(`${'seed'.padEnd(6)}${heads.map((head) => head.padStart(9)).join('')}  digest`);
  const heartbeat = setInterval(() => {
    for (const [seed, says] of underWay) console.error(`  seed ${seed}: ${says()}`);
  }, HEARTBEAT_MS);
  let next = 0;
  let failed = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const row = await oneSeed(`${from + next++}`, campaign);
      if (row.problems.length > 0) failed += 1;
      tell(row);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  clearInterval(heartbeat);
  return failed;
}

process.exit(await main());
