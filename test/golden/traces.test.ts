import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noGuests } from '../guests/command-line.ts';
import { expectFolds, expectReruns } from '../guests/trace-alone.ts';
import { IS_WHOLE, LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { type Blessed, blessed, GOLDEN, table } from '../../scripts/bless.ts';

const ROOT = join(import.meta.dirname, '../..');
const BLESSED = blessed();
const missing = noGuests('vmlinuz');

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

/** Whether the images here are those that were recorded: a distribution's kernel moves on, and a trace does not. */
function hasRecordedImages(name: string): boolean {
  const images = cli('info', `traces/${name}.trace`).stdout.matchAll(/^\S+: (.+), \d+ bytes, sha256 ([0-9a-f]{64})$/gm);
  return [...images].every(([, path, sha256]) => {
    const file = join(ROOT, path as string);
    return existsSync(file) && createHash('sha256').update(readFileSync(file)).digest('hex') === sha256;
  });
}

const [own, real] = [GOLDEN.filter(({ guests }) => !guests), GOLDEN.filter(({ guests }) => guests)];
// With other images than were recorded there are no such tests; without any they step aside.
const canReplay = (name: string): boolean => !IS_WHOLE || missing !== undefined || hasRecordedImages(name);
const replayable = [...own, ...real.filter(({ name }) => canReplay(name))];

const numbersOf = (name: string): Omit<Blessed, 'digest'> => {
  const { events, bytes, format } = BLESSED[name] as Blessed;
  return { events, bytes, format };
};

test('traces/README.md says what they are', () => {
  expect(readFileSync(join(ROOT, 'traces/README.md'), 'utf8')).toBe(table(BLESSED));
  for (const { name } of GOLDEN) {
    const path = join(ROOT, `traces/${name}.trace`);
    const { version, eventCount, close } = openTraceFile(path);
    close();
    expect({ events: eventCount, bytes: statSync(path).size, format: version }).toEqual(numbersOf(name));
  }
});

describe.each(replayable)('$name', ({ name, guests }) => {
  const file = `traces/${name}.trace`;
  const needs = { ...without(guests ? missing : undefined), ...(name === 'tour' ? {} : LONG) };

  test('replays in a second process to the blessed digest', needs, () => {
    const { status, stdout } = cli('replay', file);
    expect(stdout).toContain(`${BLESSED[name]?.events} events`);
    expect(stdout).toContain('0 divergences');
    expect(stdout).toContain(`digest ${BLESSED[name]?.digest}`);
    expect(status).toBe(0);
  });

  test(
    'folds from its events alone to the same state at every two thousandth event, and says why each interrupt came',
    needs,
    () => {
      expectFolds(join(ROOT, file));
    },
  );

  test('comes out of a rerun as it was recorded, without its images', needs, () => expectReruns(join(ROOT, file)));
});
