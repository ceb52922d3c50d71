import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, strangersProject } from './packed.ts';

test('the documented example runs in a project that has nothing but the package', () => {
  const { folder: project, run } = strangersProject(['vitest', '@types/node']);
  const page = readFileSync(join(ROOT, 'docs/regression-tests.md'), 'utf8');
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? [];
  for (const folder of ['build', 'test']) mkdirSync(join(project, folder));
  const guest = join(project, 'node_modules/retrovisor/guests/tour/tour.elf');
  copyFileSync(guest, join(project, 'build/kernel.elf'));
  copyFileSync(guest, join(project, 'test/race-kernel.elf'));
  const retrovisor = join(project, 'node_modules/retrovisor/bin/retrovisor.js');
  const machine = ['-kernel', 'build/kernel.elf', '-m', '16', '-smp', '2', '-nodefaults', '-serial', 'stdio'];
  const recorded = ['--trace', 'test/race.trace', '--wall-clock', '1700000000', '--ticks', '900000'];
  const console = run(process.execPath, [retrovisor, 'run', ...machine, ...recorded]);
  expect(console).toContain('2 online');
  writeFileSync(join(project, 'test/boot.test.ts'), example);
  const report = run(process.execPath, [join(project, 'node_modules/vitest/vitest.mjs'), 'run']);
  expect(report).toMatch(/Tests +2 passed \(2\)/);
  // What a project of a library's user type-checks: the declarations alone.
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'];
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  expect(run(process.execPath, [compiler, ...options, 'test/boot.test.ts'])).toBe('');
});
