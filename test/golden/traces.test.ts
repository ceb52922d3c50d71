import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Blessed, GOLDEN } from '../../scripts/bless.ts';

const ROOT = join(import.meta.dirname, '../..');
const BLESSED: Record<string, Blessed> = JSON.parse(readFileSync(join(ROOT, 'traces/golden.json'), 'utf8'));
const hasGuests = existsSync(join(ROOT, '.guests/vmlinuz'));
const noSkip = process.env.RETROVISOR_NO_SKIP === '1';

/** A fresh process, as anybody who was sent the trace would start one. */
function cli(...args: readonly string[]): { status: number | null; stdout: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bin/retrovisor.js'), ...args], {
    cwd: ROOT,
    input: '',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status, stdout: stdout + stderr };
}

describe.each(GOLDEN)('$name', ({ name, guests }) => {
  const file = `traces/${name}.trace`;

  test.skipIf(guests && !hasGuests && !noSkip)('replays in a second process to the blessed digest', () => {
    const { status, stdout } = cli('replay', file);
    expect(stdout).toContain(`${BLESSED[name]?.events} events`);
    expect(stdout).toContain('0 divergences');
    expect(stdout).toContain(`digest ${BLESSED[name]?.digest}`);
    expect(status).toBe(0);
  });

  test.skipIf(guests && !hasGuests && !noSkip)('folds from its events alone', () => {
    const { status, stdout } = cli('fold', file);
    expect(stdout).toContain('0 divergences');
    expect(status).toBe(0);
  });
});
