import { spawnSync } from 'node:child_process';

/** What one run of a program cost. */
export interface Cost {
  readonly status: number | null;
  readonly out: string;
  readonly wallSeconds: number;
  /** User and system time of the whole process, its children included. */
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

const MEASURED = /retrovisor-measured ([\d.]+) ([\d.]+) ([\d.]+) (\d+)/;

/** Run a program to its end and measure it from outside, with Python's or the shell's accounts of it. */
export function measured(program: string, args: readonly string[], input = '', seconds = 900): Cost {
  const begun = process.hrtime.bigint();
  const ran = spawnSync('python3', ['-c', ACCOUNTANT, program, ...args], {
    input,
    encoding: 'latin1',
    timeout: seconds * 1000,
    maxBuffer: 1 << 28,
  });
  const wallSeconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const match = MEASURED.exec(ran.stderr ?? '');
  if (match === null) throw new Error(`${program} could not be measured: ${ran.error?.message ?? ran.stderr}`);
  const [, user, system, , peak] = match;
  return {
    status: ran.status,
    out: ran.stdout,
    wallSeconds,
    cpuSeconds: Number(user) + Number(system),
    peakMiB: Number(peak) / 1024,
  };
}

/** Node cannot ask what a child used; Python's `resource` can. What started Python may have had children before. */
const ACCOUNTANT = `
import os, resource, subprocess, sys
before = resource.getrusage(resource.RUSAGE_CHILDREN)
status = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
user, system = used.ru_utime - before.ru_utime, used.ru_stime - before.ru_stime
print('retrovisor-measured %f %f %f %d' % (user, system, 0, used.ru_maxrss), file=sys.stderr)
sys.exit(status)
`;

/** The middle of a few numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** The value below which a share of a few numbers lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}
