import { expect, test } from 'vitest';
import wabt from 'wabt';
import { buildHandlers } from '../../src/engine/handlers.ts';

test('the module of all handlers is valid to a validator nobody here wrote', async () => {
  const { readWasm } = await wabt();
  const { bytes, slots } = buildHandlers(4096);
  const module = readWasm(bytes, { simd: true, bulk_memory: true, sign_extension: true });
  module.validate();
  module.destroy();
  expect(slots.size).toBeGreaterThan(2000);
});

test('the same tables give the same bytes', () => {
  expect(Buffer.compare(buildHandlers(4096).bytes, buildHandlers(4096).bytes)).toBe(0);
});
