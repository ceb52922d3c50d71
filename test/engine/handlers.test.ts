import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { buildHandlers, slotsOf } from '../../src/engine/meanings/handlers.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { stepAside } from '../stepping-aside.ts';
import type { Instantiate } from '../../src/engine/index.ts';
import { engineWith } from './long-mode.ts';

test('the module of all handlers is valid to a validator nobody here wrote', async () => {
  const { readWasm } = await wabt();
  const bytes = buildHandlers();
  const module = readWasm(bytes, { simd: true, bulk_memory: true, sign_extension: true });
  module.validate();
  module.destroy();
  expect(slotsOf(new WebAssembly.Module(bytes as BufferSource)).size).toBeGreaterThan(2000);
});

test('the same tables give the same bytes', () => {
  expect(Buffer.compare(buildHandlers(), buildHandlers())).toBe(0);
});

const ROOT = join(import.meta.dirname, '../..');

/** Whether what was built is newer than all its sources. */
function isBuilt(): boolean {
  const made = join(ROOT, 'dist/cli/main.js');
  if (!existsSync(made)) return false;
  const changed = (path: string): number => statSync(path).mtimeMs;
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true }) as string[];
  return sources.every((name) => changed(join(ROOT, 'src', name)) <= changed(made));
}

test('what the build left for every start is what the sources emit, byte for byte', () => {
  if (!isBuilt()) stepAside({ what: 'dist', why: 'It is not built, or older than its sources.', kind: 'host' });
  expect(Buffer.compare(readFileSync(join(ROOT, 'dist/handlers.wasm')), buildHandlers())).toBe(0);
});

test('an engine that is given handlers emits none, and engines that are given the same share what is compiled', () => {
  const bytes = buildHandlers();
  const modules: WebAssembly.Module[] = [];
  const noted: Instantiate = (module, env) => {
    modules.push(module as WebAssembly.Module);
    return instantiate(module, env);
  };
  // A section of nobody's tells them from those that are emitted.
  const named = Buffer.concat([bytes, Uint8Array.of(0, 6, 4, ...Buffer.from('mark'), 7)]);
  for (const handlers of [named, named, undefined]) engineWith({ hostBytes: 1 << 20, handlers, instantiate: noted });
  const marks = modules.map((module) => WebAssembly.Module.customSections(module, 'mark').length);
  expect(marks).toEqual([1, 1, 0]);
  expect(modules[1]).toBe(modules[0]);
});

test('engines of every memory size are made from one compiled module', () => {
  const modules: WebAssembly.Module[] = [];
  for (const hostBytes of [1 << 20, 3 * 2 ** 30, 64 << 10]) {
    engineWith({
      hostBytes,
      instantiate(module, env) {
        modules.push(module);
        return instantiate(module, env);
      },
    });
  }
  expect(modules).toHaveLength(3);
  expect(new Set(modules).size).toBe(1);
});
