import { expect, test } from 'vitest';
import wabt from 'wabt';
import { buildHandlers } from '../../src/engine/meanings/handlers.ts';
import { instantiate } from '../../src/host/wasm.ts';
import { engineWith } from './long-mode.ts';

test('the module of all handlers is valid to a validator nobody here wrote', async () => {
  const { readWasm } = await wabt();
  const { bytes, slots } = buildHandlers();
  const module = readWasm(bytes, { simd: true, bulk_memory: true, sign_extension: true });
  module.validate();
  module.destroy();
  expect(slots.size).toBeGreaterThan(2000);
});

test('the same tables give the same bytes', () => {
  expect(Buffer.compare(buildHandlers().bytes, buildHandlers().bytes)).toBe(0);
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
