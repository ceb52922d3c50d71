/**
 * What one exit costs, by kind: kvm-unit-tests' vmexit where its flats are, else our own guest's mixture.
 * `npx tsx bench/exits.ts [--kut FOLDER]`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
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
  const table = new Table({ head: ['guest', 'exits', 'CPU s', 'us per exit', 'exits/s', 'trace bytes per exit'] });
  try {
    const runs: readonly [string, readonly string[]][] =
      flat === undefined
        ? [['our own guest', []]]
        : TESTS.map((test) => [`vmexit ${test}`, [...DEVICES, '-nodefaults', '-kernel', flat, '-append', test]]);
    for (const [name, args] of runs) {
      const trace = join(folder, 'exits.trace');
      const { cpuSeconds } = measured(process.execPath, [BIN, 'run', ...args, '--trace', trace]);
      const exits = exitsOf(trace);
      const each = (cpuSeconds / exits) * 1e6;
      const bytes = statSync(trace).size / exits;
      table.push([
        name,
        exits,
        cpuSeconds.toFixed(2),
        each.toFixed(2),
        Math.round(exits / cpuSeconds),
        bytes.toFixed(1),
      ]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(table.toString());
  return 0;
}

process.exit(main());
