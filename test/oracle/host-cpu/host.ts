import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CaseRecord, INT3, RECORD_SIZE } from './record.ts';

/** The helper as built for one test run. */
export interface HostCpu {
  run(cases: readonly CaseRecord[]): CaseRecord[];
  close(): void;
}

/** Why the helper cannot be built or run here; undefined when it can. */
export function hostCpuMissing(): string | undefined {
  if (process.arch !== 'x64' || process.platform !== 'linux') return 'the host-CPU oracle needs x86-64 Linux';
  const gcc = spawnSync('gcc', ['--version']);
  return gcc.status === 0
    ? undefined
    : 'the host-CPU oracle needs gcc: install it (Debian: apt-get install gcc libc6-dev)';
}

/** Build the helper with gcc and run batches of cases through it. */
export function openHostCpu(): HostCpu {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-host-cpu-'));
  const helper = join(folder, 'helper');
  const source = fileURLToPath(new URL('./helper.c', import.meta.url));
  const built = spawnSync('gcc', ['-O2', '-Wall', '-o', helper, source], { encoding: 'utf8' });
  if (built.status !== 0 || !existsSync(helper)) throw new Error(`gcc could not build helper.c: ${built.stderr}`);
  return {
    run: (cases) => runBatch(helper, cases),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function runBatch(helper: string, cases: readonly CaseRecord[]): CaseRecord[] {
  const input = new Uint8Array(cases.length * RECORD_SIZE);
  for (const [i, record] of cases.entries()) input.set(record.bytes, i * RECORD_SIZE);
  const done = spawnSync(helper, [], { input, maxBuffer: input.length + 4096, timeout: 120_000 });
  if (done.status !== 0 || done.stdout.length !== input.length) {
    throw new Error(`host-cpu helper ended with ${done.status ?? done.signal}: ${done.stderr}`);
  }
  const output = new Uint8Array(done.stdout);
  return cases.map((_, i) => {
    const record = new CaseRecord(output.slice(i * RECORD_SIZE, (i + 1) * RECORD_SIZE));
    // The trap reports the address behind the INT3.
    if (record.vector === INT3) record.rip -= 1n;
    return record;
  });
}
