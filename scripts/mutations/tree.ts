/** A copy of the sources to be made wrong, one place at a time, and built. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Site } from './sites.ts';

const COPIED = [
  'src',
  'bin',
  'guests',
  'scripts/mutations',
  'test/sim/storm',
  'test/machine',
  'test/kvm',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
const LINKED = ['node_modules', '.guests', 'traces'];
/** The command line takes what is built only where that is newer than the sources. */
const ENTRY = 'dist/cli/main.js';

/** What a command of the copy came to. */
export interface Came {
  /** null: it did not end in time. */
  readonly status: number | null;
  readonly text: string;
}

export interface Tree {
  readonly root: string;
  /** Build with this place changed; false: the compiler refuses it. */
  change(site: Site): boolean;
  /** As it was. */
  restore(site: Site): void;
  /** `retrovisor` of the copy. */
  run(args: readonly string[], seconds: number, environment?: NodeJS.ProcessEnv): Came;
  /** A program of the copy's `scripts/mutations`. */
  program(args: readonly string[], seconds: number, environment?: NodeJS.ProcessEnv): Came;
}

/** Copy the sources of `from` into a folder, and build them as they are. */
export function copyTree(from: string, root: string): Tree {
  mkdirSync(root, { recursive: true });
  for (const name of COPIED) cpSync(join(from, name), join(root, name), { recursive: true });
  for (const name of LINKED) symlinkSync(join(from, name), join(root, name));
  if (!build(root)) throw new Error('The sources as they are do not compile.');
  const before = new Map<string, string>();
  return {
    root,
    change(site) {
      const path = join(root, site.file);
      const text = readFileSync(path, 'utf8');
      if (text.slice(site.from, site.to) !== site.old) throw new Error(`${site.file}:${site.line} is not what it was.`);
      before.set(path, text);
      writeFileSync(path, text.slice(0, site.from) + site.text + text.slice(site.to));
      return build(root);
    },
    restore({ file }) {
      const path = join(root, file);
      writeFileSync(path, before.get(path) as string);
    },
    run: (args, seconds, environment) => node(root, [join(root, 'bin/retrovisor.js'), ...args], seconds, environment),
    program: ([name = '', ...args], seconds, environment) =>
      node(root, ['--import', 'tsx', join(root, 'scripts/mutations', name), ...args], seconds, environment),
  };
}

function node(root: string, args: readonly string[], seconds: number, environment: NodeJS.ProcessEnv = {}): Came {
  const env = { ...process.env, ...environment };
  const options = {
    cwd: root,
    env,
    encoding: 'utf8',
    input: '',
    maxBuffer: 1 << 28,
    timeout: Math.ceil(1000 * seconds),
  } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  return { status, text: stdout + stderr };
}

function build(root: string): boolean {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const incremental = ['--incremental', '--tsBuildInfoFile', join(root, 'built.tsbuildinfo')];
  const args = [compiler, '-p', join(root, 'tsconfig.build.json'), ...incremental];
  const { status } = spawnSync(process.execPath, args, { cwd: root });
  if (status === 0) utimesSync(join(root, ENTRY), new Date(), new Date());
  return status === 0;
}

const PATTERNS = [
  /^(Event \d+, \S+, changes what its row does not own, .+)\.$/m,
  /differs at event (\d+, tick \d+, in .+)\./,
  /differs from the trace at event (\d+, tick \d+, in \S+): /,
  /(Event \d+, \S+, cannot follow what came before it \(.*\))/,
  /^(\w*Error: .*)$/m,
];

/** The place in what a command printed. */
export function whereOf({ status, text }: Came): string {
  if (status === null) return 'it does not come to an end';
  for (const pattern of PATTERNS) {
    const found = pattern.exec(text);
    if (found !== null) return (found[1] as string).slice(0, 110);
  }
  return text.trim().split('\n').at(-1)?.slice(0, 110) ?? `status ${status}`;
}
