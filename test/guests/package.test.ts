import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { scratchFolder } from './command-line.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const project = scratchFolder();

/** Run something in the project; what it printed when it succeeds. */
function run(program: string, args: readonly string[], cwd = project): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', CI: '1' },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** Install the packed package beside everything it depends on, as npm would, without asking a registry. */
function install(): void {
  run('npm', ['pack', '--silent', '--pack-destination', project], ROOT);
  const packed = readdirSync(project).find((name) => name.endsWith('.tgz')) as string;
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'retrovisor'), { recursive: true });
  run('tar', ['-xzf', packed, '-C', join(modules, 'retrovisor'), '--strip-components=1']);
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'a-kernel', private: true, type: 'module' }));
}

test('the documented example runs in a project that has nothing but the package', () => {
  install();
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
