import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { answer } from '../guests/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-not-begun-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['a file that cannot be written', () => `file:${join(folder, 'none/console')}`, /^Cannot write .*no such file/],
  ['a socket nobody is at', () => `unix:${join(folder, 'nobody')}`, /^Cannot connect to .*no such file/],
])('a run that does not begin for %s leaves nothing that would keep the process', async (_, second, sentence) => {
  const path = join(folder, 'console');
  const hearing = () => ['SIGTERM', 'SIGINT', 'SIGHUP'].map((signal) => process.listenerCount(signal));
  const before = hearing();
  const lines = ['-serial', `unix:${path},server=on,wait=off`, '-serial', second()];
  const { status, err } = await answer(['run', '--no-trace', ...lines]);
  expect([status, err.split('\n')[1]?.replace('retrovisor: ', '')]).toEqual([1, expect.stringMatching(sentence)]);
  expect(hearing()).toEqual(before);
  const [refused] = await once(connect(path), 'error');
  expect(refused.code).toMatch(/^(ECONNREFUSED|ENOENT)$/);
});
