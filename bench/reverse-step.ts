/**
 * What one `reverse-stepi` of a stock gdb takes at 1, 25, 50, 75 and 99 % of a run: median and p99 over the wire.
 * `npx tsx bench/reverse-step.ts [--trace FILE] [--steps N]`; without a trace, our own guest's run. Checkpoints that
 * `retrovisor index FILE` left beside the trace are used: they show in the seeks.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { percentile } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const SHARES = [1, 25, 50, 75, 99];

/** gdb times its own commands: its Python runs in the process that speaks the protocol. */
const script = (port: number, steps: number): string => `
set pagination off
set confirm off
set remotetimeout 600
target remote 127.0.0.1:${port}
python
import time
def timed(command):
    begun = time.perf_counter()
    said = gdb.execute(command, to_string=True)
    return (time.perf_counter() - begun) * 1000, said
for share in ${JSON.stringify(SHARES)}:
    seek, place = timed("monitor seek %d%%" % share)
    gdb.execute("maintenance flush register-cache", to_string=True)
    again, _ = timed("monitor seek %d%%" % share)
    steps = [timed("reverse-stepi")[0] for i in range(${steps})]
    print("measured %d %.2f %s" % (share, seek, " ".join("%.3f" % step for step in steps)))
end
detach
`;

interface Measured {
  readonly share: number;
  readonly seek: number;
  readonly steps: readonly number[];
}

async function measure(trace: string, steps: number, folder: string): Promise<Measured[]> {
  const server = spawn(process.execPath, [BIN, 'gdb', trace, '--port', '0', '--once']);
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let said = '';
      const hear = (bytes: Buffer): void => {
        said += String(bytes);
        const found = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
        if (found !== undefined) resolve(Number(found));
      };
      server.stdout.on('data', hear);
      server.stderr.on('data', hear);
      server.on('exit', () => reject(new Error(`retrovisor gdb ended: ${said}`)));
    });
    const file = join(folder, 'measure.gdb');
    writeFileSync(file, script(port, steps));
    const gdb = spawn('gdb', ['-nx', '-batch', '-x', file]);
    let out = '';
    for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (bytes) => void (out += String(bytes)));
    await new Promise((resolve) => gdb.on('close', resolve));
    const found = [...out.matchAll(/^measured (\d+) ([\d.]+) (.*)$/gm)];
    if (found.length !== SHARES.length) throw new Error(`gdb could not measure: ${out}`);
    return found.map(([, share, seek, all]) => ({
      share: Number(share),
      seek: Number(seek),
      steps: (all as string).split(' ').map(Number),
    }));
  } finally {
    server.kill();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { trace: { type: 'string' }, steps: { type: 'string', default: '200' } } });
  if (spawnSync('gdb', ['--version']).status !== 0) {
    console.error('There is no gdb: this measures a stock gdb against retrovisor gdb. Install it first.');
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    const trace = values.trace ?? join(folder, 'tour.trace');
    if (values.trace === undefined) spawnSync(process.execPath, [BIN, 'run', '--trace', trace]);
    const info = spawnSync(process.execPath, [BIN, 'info', trace], { encoding: 'utf8' });
    const stored = existsSync(`${trace}.ckpt`) ? 'with' : 'without';
    console.log(`${/^ends at .*$/m.exec(info.stdout)?.[0] ?? info.stderr}, ${stored} stored checkpoints`);
    const rows = await measure(trace, Number(values.steps), folder);
    const table = new Table({ head: ['% of the run', 'seek there ms', 'median ms', 'p99 ms', 'worst ms'] });
    for (const { share, seek, steps } of rows) {
      const each = [percentile(steps, 0.5), percentile(steps, 0.99), Math.max(...steps)];
      table.push([share, seek.toFixed(0), ...each.map((ms) => ms.toFixed(2))]);
    }
    console.log(table.toString());
    const medians = rows.map(({ steps }) => percentile(steps, 0.5));
    console.log(
      `median at the end / at the beginning: ${((medians.at(-1) as number) / (medians[0] as number)).toFixed(2)}`,
    );
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exit(await main());
