import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from './command-line.ts';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** A project of somebody's own that has nothing but the packed package and what it names beside it. */
export interface StrangersProject {
  readonly folder: string;
  /** Run something in it; what it printed when it succeeds. */
  run(program: string, args: readonly string[]): string;
}

function succeed(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, NO_COLOR: '1', CI: '1' },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** Install the packed package with its dependencies and `beside`, as npm would, without asking a registry. */
export function strangersProject(beside: readonly string[]): StrangersProject {
  const folder = scratchFolder();
  // Built if it is not; `prepack` would replace what other tests are running.
  succeed(process.execPath, ['scripts/prepare.js'], ROOT);
  succeed('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const packed = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'retrovisor'), { recursive: true });
  succeed('tar', ['-xzf', packed, '-C', join(modules, 'retrovisor'), '--strip-components=1'], folder);
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'retrovisor/package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  for (const name of new Set([...Object.keys(dependencies), ...beside])) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a-kernel', private: true, type: 'module' }));
  return { folder, run: (program, args) => succeed(program, args, folder) };
}

/** Blocks of TypeScript in a page, by the file their first line names. */
export function programsOf(page: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/```ts\n\/\/ ([\w-]+\.ts)([\s\S]*?)```/g)];
  return new Map(blocks.map(([, name, program]) => [name as string, `// ${name}${program}`]));
}
