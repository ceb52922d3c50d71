/**
 * What commands cost before they do anything: CPU seconds, the median of several and their spread.
 * `npx tsx bench/start.ts [--runs N]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { measured, median } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const GUEST = ['-kernel', join(ROOT, 'guests/tour/tour.elf'), '-m', '16', '-nodefaults', '-nographic', '--quiet'];
const ONE_TICK = ['run', ...GUEST, '--ticks', '1'];

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const folder = mkdtempSync(join(tmpdir(), 'retrovisor-start-'));
const trace = join(folder, 'start.trace');
const commands: Readonly<Record<string, readonly string[]>> = {
  'an empty Node': ['-e', '0'],
  '--version': [BIN, '--version'],
  'run of one instruction': [BIN, ...ONE_TICK, '--no-trace'],
  'the same, recorded': [BIN, ...ONE_TICK, '--trace', trace],
  'replay of that': [BIN, 'replay', trace],
  'verify of that': [BIN, 'verify', trace],
};

try {
  const table = new Table({ head: ['', 'CPU seconds', 'least', 'most'] });
  for (const [name, words] of Object.entries(commands)) {
    const seconds = Array.from({ length: Number(values.runs) }, () => measured(process.execPath, words).cpuSeconds);
    table.push([name, ...[median(seconds), Math.min(...seconds), Math.max(...seconds)].map((each) => each.toFixed(2))]);
  }
  console.log(table.toString());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
