/**
 * What one exit costs recorded, by kind: guests of a few bytes that do nothing else, or kvm-unit-tests' vmexit.
 * Two runs of different lengths each: their difference has no start-up in it, neither the program's nor the guest's.
 * `npx tsx bench/exits.ts [--kut FOLDER]`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { exitGuests } from './exit-guests.ts';
import { measured } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const TESTS = [
  'cpuid',
  'vmcall',
  'mov_from_cr8',
  'inl_from_pmtimer',
  'outl_to_kernel',
  'wr_tsc_adjust_msr',
  'self_ipi_sti_nop',
];
const DEVICES = ['-device', 'pc-testdev', '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4', '-serial', 'stdio'];

/** Lengths in instructions. */
const LENGTHS = { vmexit: [1_000_000, 6_000_000], own: [100_000, 1_300_000] } as const;
/** A guest with fewer exits between its two lengths tells nothing of them. */
const FEWEST = 1000;

/** What a run came to, or the difference of two. */
interface Spent {
  readonly exits: number;
  readonly events: number;
  readonly cpuSeconds: number;
  readonly bytes: number;
}

function spent(args: readonly string[], ticks: number, trace: string): Spent {
  const { cpuSeconds } = measured(process.execPath, [BIN, 'run', ...args, '--ticks', `${ticks}`, '--trace', trace]);
  return { exits: exitsOf(trace), events: eventsOf(trace), cpuSeconds, bytes: statSync(trace).size };
}

function rowOf(name: string, short: Spent, long: Spent): (string | number)[] {
  const exits = long.exits - short.exits;
  if (!(exits >= FEWEST)) return [name, exits, short.cpuSeconds.toFixed(2), '-', '-', '-', '-', '-'];
  const seconds = long.cpuSeconds - short.cpuSeconds;
  const each = ((seconds / exits) * 1e6).toFixed(2);
  const bytes = ((long.bytes - short.bytes) / exits).toFixed(1);
  const rates = [Math.round(exits / seconds), Math.round((long.events - short.events) / seconds)];
  return [name, exits, short.cpuSeconds.toFixed(2), seconds.toFixed(2), each, ...rates, bytes];
}

function eventsOf(trace: string): number {
  const { stdout } = spawnSync(process.execPath, [BIN, 'info', trace], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return Number(/^(\d+) events in /m.exec(stdout)?.[1] ?? Number.NaN);
}

function exitsOf(trace: string): number {
  const { stdout } = spawnSync(process.execPath, [BIN, 'stat', trace], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return Number(/^Total samples: (\d+)/m.exec(stdout)?.[1] ?? Number.NaN);
}

function main(): number {
  const { values } = parseArgs({ options: { kut: { type: 'string' } } });
  const flat = values.kut === undefined ? undefined : join(values.kut, 'vmexit.flat');
  if (flat !== undefined && !existsSync(flat)) {
    console.error(`There is no ${flat}: give the folder with kvm-unit-tests' flats (docs/kvm-unit-tests.md).`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  const head = [
    'guest',
    'exits between',
    'shorter run, CPU s',
    'CPU s between',
    'us per exit',
    'exits/s',
    'events/s (aim 300000)',
    'trace bytes per exit',
  ];
  const table = new Table({ head });
  try {
    const runs: readonly [string, readonly string[]][] =
      flat === undefined
        ? exitGuests().map(([name, image], number) => {
            const path = join(folder, `${number}.bin`);
            writeFileSync(path, image);
            return [name, ['-nodefaults', '-serial', `file:${join(folder, 'serial')}`, '-kernel', path]];
          })
        : TESTS.map((test) => [`vmexit ${test}`, [...DEVICES, '-nodefaults', '-kernel', flat, '-append', test]]);
    const [less, more] = flat === undefined ? LENGTHS.own : LENGTHS.vmexit;
    const trace = join(folder, 'exits.trace');
    for (const [name, args] of runs) table.push(rowOf(name, spent(args, less, trace), spent(args, more, trace)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(table.toString());
  return 0;
}

process.exit(main());
