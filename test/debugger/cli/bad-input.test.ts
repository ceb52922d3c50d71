import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { retrovisor } from '../../guests/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bad-'));
const at = (name: string): string => join(folder, name);
writeFileSync(at('text'), 'not a trace, not a kernel\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('bad input is answered with one sentence and a status', () => {
  test.each([
    ['an unknown option', ['run', '-kernle', 'x'], 2, 'Unknown option -kernle'],
    ['an unknown command', ['rum'], 2, "unknown command 'rum'"],
    ['a missing trace', ['replay', at('none')], 1, 'there is no such file'],
    ['a file that is no trace', ['events', at('text')], 1, 'is not a Retrovisor trace'],
    ['a folder instead of a trace', ['stat', folder], 1, 'is not a file'],
    ['a missing kernel', ['run', '-kernel', at('none'), '--no-trace'], 1, 'there is no such file'],
    ['a kernel that is none', ['run', '-kernel', at('text'), '--no-trace'], 1, 'text'],
    ['a trace path that holds something else', ['run', '--trace', at('text')], 1, 'left as it is'],
    ['a kind of event nobody knows', ['events', at('text'), '--event', 'frob'], 2, 'frob'],
  ])('%s', (_, args, status, words) => {
    const ran = retrovisor(args, '', 1);
    expect(ran.err).toContain(words);
    expect(ran.err.trim().split('\n')).toHaveLength(1);
    expect(ran.err).toMatch(/^retrovisor: /);
    expect(ran.status).toBe(status);
  });
});
