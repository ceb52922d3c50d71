import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../house/sources.ts';
import { tool, without } from '../stepping-aside.ts';
import { scratchFolder } from './command-line.ts';

const BIN = join(ROOT, 'bin/retrovisor.js');
const DIGEST = /^digest [0-9a-f]{32}/m;

/** What the tour prints on a terminal of 80 columns, on which nobody types. */
function toured(): string {
  const command = `stty cols 80; '${process.execPath}' '${BIN}' tour`;
  const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    cwd: scratchFolder(),
    encoding: 'utf8',
    timeout: 120_000,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  expect(status).toBe(0);
  // What a progress line is written over with is what one sees of it.
  return stdout.replaceAll('\r\n', '\n').replace(/.*\r(\x1b\[K)?/g, '');
}

describe('npm start on a terminal', without(tool('script')), () => {
  test('returns, comes to one digest twice, fits the terminal and says what to try', () => {
    const [first, second] = [toured(), toured()];
    expect(DIGEST.exec(first)?.[0]).toBeDefined();
    expect(DIGEST.exec(second)?.[0]).toBe(DIGEST.exec(first)?.[0]);
    for (const words of ['npx retrovisor debug tour.trace', 'npm run guests', 'docs/guide.md']) {
      expect(first).toContain(words);
    }
    expect(first.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});
