import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { ROOT } from './sources.ts';

/** What is loaded before the first line of a module runs: rooms of ours as `src/replay`, packages by their names. */
async function loadedBy(entry: string): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outdir: 'dist',
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  const loaded = new Set<string>();
  const [first] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === entry) ?? [];
  const waiting = [first as string];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const { inputs = {}, imports = [] } = metafile.outputs[name] ?? {};
    for (const path of Object.keys(inputs)) loaded.add(path.split('/').slice(0, 2).join('/'));
    for (const { path, kind, external } of imports) {
      if (kind === 'dynamic-import') continue;
      if (external === true) loaded.add(path);
      else waiting.push(path);
    }
  }
  return loaded;
}

const MACHINE = ['src/engine', 'src/kvm', 'src/machine', 'src/vmm', 'src/debugger', 'src/gdb', 'iced-x86', 'immer'];

describe('what a command does not use is not loaded', () => {
  test('the table of commands, for --help and --version, needs neither machine nor trace', async () => {
    const loaded = await loadedBy('src/cli/commands.ts');
    const unwanted = [...MACHINE, 'src/replay', 'src/events', 'src/devices', 'rxjs', 'zod'];
    expect(unwanted.filter((name) => loaded.has(name))).toEqual([]);
    expect(loaded).toContain('commander');
  });

  test('options are understood without what runs and records', async () => {
    const loaded = await loadedBy('src/options/run-arguments.ts');
    const unwanted = ['src/engine', 'src/machine', 'src/replay', 'src/debugger', 'iced-x86', 'immer', 'rxjs', 'zod'];
    expect(unwanted.filter((name) => loaded.has(name))).toEqual([]);
  });

  test('a run loads nothing that looks at machines, until somebody can ask', async () => {
    const loaded = await loadedBy('src/cli/run.ts');
    expect(['src/debugger', 'src/gdb'].filter((name) => loaded.has(name))).toEqual([]);
    expect(loaded).toContain('src/engine');
  });

  test('who replays by other processes has no machine itself', async () => {
    const loaded = await loadedBy('src/cli/verify.ts');
    const unwanted = ['src/engine', 'src/kvm', 'src/machine', 'src/devices', 'src/debugger', 'iced-x86', 'rxjs'];
    expect(unwanted.filter((name) => loaded.has(name))).toEqual([]);
  });

  test('events are listed without a machine', async () => {
    const loaded = await loadedBy('src/cli/trace-commands.ts');
    const unwanted = ['src/engine', 'src/machine', 'src/devices', 'src/debugger', 'src/gdb', 'iced-x86', 'rxjs'];
    expect(unwanted.filter((name) => loaded.has(name))).toEqual([]);
  });

  test('of zod, which is bundled, no language is but the one it speaks', async () => {
    const { metafile } = await build({
      absWorkingDir: ROOT,
      entryPoints: ['src/cli/trace-commands.ts'],
      outdir: 'dist',
      write: false,
      metafile: true,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['immer'],
    });
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
    const taken = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    const languages = taken.map(([path]) => /zod\/.*\/locales\/(.+)\.js$/.exec(path)?.[1]);
    expect(languages.filter((language) => language !== undefined)).toEqual(['en']);
  });
});
