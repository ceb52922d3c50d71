/**
 * Debian's cloud kernel to a shell and off again: ours recorded and unrecorded, QEMU TCG plain and rr=record, in turn
 * in one go, so that all see the same machine. `npx tsx bench/boot.ts [--runs N] [--kernel FILE --initrd FILE]`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { isHere } from '../scripts/guests/apt.ts';
import { type Cost, measured, median } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const APPEND = 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f';
/** Guest instructions of this boot under QEMU TCG, counted by a plugin (shared baselines): for QEMU's MIPS. */
const QEMU_INSTRUCTIONS = 1_476_200_000;
const MILLION = 1e6;

interface Guest {
  readonly kernel: string;
  readonly initrd: string;
}

const common = ({ kernel, initrd }: Guest): string[] => [
  '-m',
  '256',
  '-nodefaults',
  '-kernel',
  kernel,
  '-initrd',
  initrd,
  '-append',
  APPEND,
  '-serial',
  'stdio',
];

function ours(guest: Guest, trace: string | undefined): Cost {
  const recording = trace === undefined ? ['--no-trace'] : ['--trace', trace];
  return measured(process.execPath, [BIN, 'run', ...common(guest), '--wall-clock', '1700000000', ...recording]);
}

function qemu(guest: Guest, record: string | undefined): Cost {
  const rr = record === undefined ? [] : ['-icount', `shift=3,rr=record,rrfile=${record}`];
  const fixed = ['-accel', 'tcg,thread=single', '-display', 'none', '-no-reboot'];
  return measured('qemu-system-x86_64', [...fixed, ...common(guest), ...rr]);
}

/** Figures of a recorded run, from its own trace. */
function traceFigures(trace: string): { ticks: number; events: number } {
  const info = spawnSync(process.execPath, [BIN, 'info', trace], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  const figure = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? Number.NaN);
  return { ticks: figure(/^ends at .* tick (\d+)/m), events: figure(/^(\d+) events in/m) };
}

function main(): number {
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', default: join(ROOT, '.guests/vmlinuz') },
      initrd: { type: 'string', default: join(ROOT, '.guests/initramfs.gz') },
      runs: { type: 'string', default: '1' },
    },
  });
  if (!existsSync(values.kernel)) {
    console.error(`There is no kernel at ${values.kernel}: run \`npm run guests\` first.`);
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    compare(values, Number(values.runs), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

function compare(guest: Guest, runs: number, folder: string): void {
  const trace = join(folder, 'boot.trace');
  const hasQemu = isHere('qemu-system-x86_64');
  const costs: Record<string, Cost[]> = { recorded: [], unrecorded: [], qemu: [], rr: [] };
  for (let i = 0; i < runs; i++) {
    costs['recorded']!.push(ours(guest, trace));
    costs['unrecorded']!.push(ours(guest, undefined));
    if (!hasQemu) continue;
    costs['qemu']!.push(qemu(guest, undefined));
    costs['rr']!.push(qemu(guest, join(folder, 'rr.bin')));
  }
  report(costs, trace, hasQemu);
}

function report(costs: Record<string, Cost[]>, trace: string, hasQemu: boolean): void {
  const { ticks, events } = traceFigures(trace);
  const bytes = statSync(trace).size;
  const cpu = (name: string): number => median(costs[name]!.map(({ cpuSeconds }) => cpuSeconds));
  const wall = (name: string): number => median(costs[name]!.map(({ wallSeconds }) => wallSeconds));
  const peak = (name: string): number => Math.max(...costs[name]!.map(({ peakMiB }) => peakMiB));
  const table = new Table({
    head: ['boot to power-off', 'wall s', 'CPU s', 'MIPS (CPU)', 'MIPS (wall)', 'resident MiB'],
  });
  const row = (label: string, name: string, instructions: number): void => {
    const rate = (seconds: number): string => (instructions / seconds / MILLION).toFixed(1);
    const cells = [
      wall(name).toFixed(2),
      cpu(name).toFixed(2),
      rate(cpu(name)),
      rate(wall(name)),
      peak(name).toFixed(0),
    ];
    table.push([label, ...cells]);
  };
  row('Retrovisor, recorded', 'recorded', ticks);
  row('Retrovisor, not recorded', 'unrecorded', ticks);
  if (hasQemu) row('QEMU TCG', 'qemu', QEMU_INSTRUCTIONS);
  if (hasQemu) row('QEMU TCG, rr=record', 'rr', QEMU_INSTRUCTIONS);
  console.log(`${cpus()[0]!.model}, Node ${process.versions.node}, ${costs['recorded']!.length} runs, medians`);
  console.log(table.toString());
  console.log(`guest instructions ${ticks}, events ${events}, trace ${bytes} bytes`);
  const rates = [cpu('recorded'), wall('recorded')].map((seconds) => Math.round(events / seconds / 1000));
  console.log(
    `through the whole pipeline, guest to file: ${rates[0]} thousand events/s of CPU time, ${rates[1]} of the clock; ` +
      `resident ${peak('recorded').toFixed(0)} MiB at most`,
  );
  console.log(`recording overhead ${(100 * (cpu('recorded') / cpu('unrecorded') - 1)).toFixed(1)} % of CPU time`);
  console.log(
    `trace: ${((1000 * bytes) / ticks).toFixed(3)} bytes per 1000 instructions, ` +
      `${(bytes / events).toFixed(2)} per event`,
  );
  if (!hasQemu) return;
  console.log(
    `CPU time is ${(cpu('recorded') / cpu('qemu')).toFixed(1)}x QEMU TCG's, ` +
      `${(cpu('recorded') / cpu('rr')).toFixed(1)}x rr=record's`,
  );
}

process.exit(main());
