import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { emittedHandlers, handlersIn } from '../../src/host/handlers.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-handlers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const sha256 = createHash('sha256').update(bytes).digest('hex');

function written(name: string, content: Uint8Array): URL {
  const path = join(folder, name);
  writeFileSync(path, content);
  return pathToFileURL(path);
}

test('handlers that were built are taken if they are those of this very build', () => {
  expect(handlersIn(written('same', bytes), sha256)).toEqual(Buffer.from(bytes));
});

test('others are as good as none', () => {
  expect(handlersIn(written('other', bytes.with(4, 2)), sha256)).toBeUndefined();
  expect(handlersIn(written('short', bytes.slice(0, 7)), sha256)).toBeUndefined();
  expect(handlersIn(pathToFileURL(join(folder, 'absent')), sha256)).toBeUndefined();
});

test('sources that run as they are take none', () => {
  expect(emittedHandlers()).toBeUndefined();
});
