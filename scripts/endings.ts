/**
 * Recordings ended by chance: killed, by every signal, by a broken pipe, by a full disk. What was seen of the console
 * from outside, with its times, is compared with what the trace has of it: at most a second may be lost, what is not
 * whole may not be called whole, and what there is must replay.
 * `npx tsx scripts/endings.ts [--runs 300] [--from 1] [--seconds 20] [--keep FOLDER]`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openTraceFile } from '../src/host/trace-file.ts';
import { TraceDamage } from '../src/replay/trace/damage.ts';
import { inOrder } from '../src/replay/trace/in-order.ts';
import { recordUntil, type Seen, type Way, WAYS } from './endings/recorder.ts';
import { tickingGuest } from './endings/ticking-guest.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'bin/retrovisor.js');
const GUESTS = join(ROOT, '.guests');

/** What may be lost of a recording that was killed. */
const MOST_LOST_MS = 1000;
/** A small guest is ended this soon at most. */
const SMALL_MS = 4000;
/** The full disk has so many bytes, or up to eight times as many. */
const SMALLEST_DISK = 64 * 1024;

/** Of ten runs three are killed; the others take their turns, of two runs one way. */
const TURNS: readonly Way[] = WAYS.flatMap((way) => (way === 'SIGKILL' || way === 'stdout' ? [] : [way]));
const wayOf = (run: number): Way => {
  if ([0, 3, 7].includes(run % 10)) return 'SIGKILL';
  return run % 29 === 1 ? 'stdout' : (TURNS[Math.floor(run / 2) % TURNS.length] as Way);
};

/** A number from 0 to 1 that is the same for a run each time (splitmix32). */
function chance(run: number, which: number): number {
  let value = Math.imul(run * 4 + which + 1, 0x9e3779b9);
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
  return ((value ^ (value >>> 15)) >>> 0) / 2 ** 32;
}

interface Verdict {
  readonly what: string;
  readonly lostMs: number;
  readonly events: number;
  readonly problems: readonly string[];
}

/** It prints from the decompressor on, and never ends. */
const APPEND = 'earlyprintk=serial,ttyS0,115200 console=ttyS0 panic=-1 rdinit=/bin/busybox -- yes';

const LINUX = [
  ...['-m', '256', '-nodefaults', '-serial', 'stdio', '-kernel', join(GUESTS, 'vmlinuz')],
  ...['-initrd', join(GUESTS, 'initramfs.gz'), '-append', APPEND],
];

/** A disk that is soon full, and how to be rid of it. */
function smallDisk(folder: string, bytes: number): { readonly limit: readonly string[]; drop(): void } {
  mkdirSync(folder);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status === 0;
  return {
    limit: mounted ? [] : ['prlimit', `--fsize=${bytes}`],
    drop: () => void (mounted && spawnSync('umount', [folder])),
  };
}

async function oneRun(run: number, folder: string, longestMs: number): Promise<Verdict> {
  const way = wayOf(run);
  const isLinux = run % 2 === 0;
  const moment = chance(run, 0) * (isLinux ? longestMs : SMALL_MS);
  const guest = isLinux ? LINUX : ['-m', '4', '-nodefaults', '-serial', 'stdio', '-kernel', join(folder, 'ticking')];
  const place = join(folder, `run-${run}`);
  const disk = way === 'disk' ? smallDisk(place, Math.round(SMALLEST_DISK * (1 + 7 * chance(run, 1)))) : undefined;
  if (disk === undefined) mkdirSync(place);
  const trace = join(place, 'it.trace');
  const kept = join(folder, `${run}.trace`);
  const command = [
    ...(disk?.limit ?? []),
    process.execPath,
    BIN,
    'run',
    ...guest,
    '--seed',
    `${run}`,
    '--trace',
    trace,
  ];
  const seen = await recordUntil(command, way, moment);
  if (existsSync(trace)) copyFileSync(trace, kept);
  disk?.drop();
  rmSync(place, { recursive: true, force: true });
  const what = `${isLinux ? 'Linux' : 'small'} ${way} ${(moment / 1000).toFixed(1)} s`;
  return { what, ...judged(way, kept, seen) };
}

/** Whether a recorder could not but leave its trace without an end. */
const isCutBy = (way: Way, { signal, said }: Seen): boolean =>
  signal === 'SIGKILL' || (way === 'disk' && said.includes('Cannot write the trace'));

function judged(way: Way, trace: string, seen: Seen): Omit<Verdict, 'what'> {
  if (!existsSync(trace)) return { lostMs: 0, events: 0, problems: [`no trace: ${seen.said.trim()}`] };
  const problems: string[] = [];
  const file = openTraceFile(trace, { acceptCut: true });
  const isCut = file.cut !== undefined;
  const { bytes, damage } = consoleOf(trace);
  file.close();
  if (damage !== undefined) problems.push(damage);
  if (isCut !== isCutBy(way, seen)) problems.push(isCut ? `it has no end: ${seen.said}` : 'it is called whole');
  const shared = Math.min(bytes.length, seen.console.length);
  if (!bytes.subarray(0, shared).equals(seen.console.subarray(0, shared))) problems.push('its console is another');
  // What was seen and is not recorded is lost; the oldest of it says how much.
  const oldest = seen.times[bytes.length];
  const lostMs = oldest === undefined ? 0 : Math.max(0, seen.endedAt - oldest);
  if (lostMs > MOST_LOST_MS) problems.push(`${lostMs.toFixed(0)} ms are lost`);
  if (!isCut && oldest !== undefined) problems.push('a recording with an end lacks what was seen');
  const [strict, accepting] = [
    ['replay', trace],
    ['replay', '--accept-cut', trace],
  ].map((args) => (isCut || args.length > 2 ? retrovisor(args) : undefined));
  if (strict !== undefined && strict.status !== 1) problems.push(`replay without --accept-cut: ${strict.status}`);
  if (accepting?.status !== 0) problems.push(`replay: ${accepting?.out}`);
  const events = Number(/^(\d+) events and/m.exec(accepting?.out ?? '')?.[1] ?? 0);
  return { lostMs, events, problems };
}

function consoleOf(path: string): { readonly bytes: Buffer; readonly damage: string | undefined } {
  const trace = openTraceFile(path, { acceptCut: true });
  const bytes: number[] = [];
  try {
    for (const { event } of inOrder(trace, 0, (kind) => kind === 'sim:serial_sent')) {
      if (event.kind === 'sim:serial_sent') bytes.push(event.byte);
    }
    return { bytes: Buffer.from(bytes), damage: undefined };
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
    return { bytes: Buffer.from(bytes), damage: damage.message };
  } finally {
    trace.close();
  }
}

function retrovisor(args: readonly string[]): { readonly status: number | null; readonly out: string } {
  const ran = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  return { status: ran.status, out: ran.stdout + ran.stderr };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '300' },
      from: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '20' },
      keep: { type: 'string' },
    },
  });
  if (!existsSync(join(GUESTS, 'vmlinuz'))) {
    console.error('.guests/vmlinuz is not here: `npm run guests` fetches it.');
    return 2;
  }
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-endings-'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'ticking'), tickingGuest());
  const [from, count] = [Number(values.from), Number(values.runs)];
  const verdicts: Verdict[] = [];
  for (let run = from; run < from + count; run += 1) {
    const verdict = await oneRun(run, folder, Number(values.seconds) * 1000);
    verdicts.push(verdict);
    const { what, lostMs, events, problems } = verdict;
    const how = problems.length === 0 ? 'agrees' : `FAILED: ${problems.join('; ')}`;
    console.log(`${run}  ${what.padEnd(24)} ${`${events}`.padStart(8)} events  ${lostMs.toFixed(0)} ms lost  ${how}`);
    if (problems.length === 0 && values.keep === undefined) rmSync(join(folder, `${run}.trace`), { force: true });
  }
  const failed = verdicts.filter(({ problems }) => problems.length > 0).length;
  const most = Math.max(...verdicts.map(({ lostMs }) => lostMs));
  const killed = verdicts.filter(({ what }) => what.includes('SIGKILL')).length;
  const linux = verdicts.filter(({ what }) => what.startsWith('Linux')).length;
  console.log(
    `${count - failed} of ${count} agree (${killed} killed, ${linux} of Linux); most lost: ${most.toFixed(0)} ms`,
  );
  if (failed === 0 && values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
