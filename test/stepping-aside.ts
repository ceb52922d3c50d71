import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { TestRunner } from 'vitest';

/** Something this machine lacks or does otherwise, for which a test, or a part of one, steps aside. */
export interface Aside {
  /** What is not to be had here, as a short name: `gdb`, `16-bit code`. */
  readonly what: string;
  /** One sentence. */
  readonly why: string;
  /**
   * `tool`: something one can install; where RETROVISOR_NO_SKIP=1 promises it, its lack is a failure.
   * `host`: the machine is like that, which is nobody's failure.
   */
  readonly kind: 'tool' | 'host';
}

declare module 'vitest' {
  interface TaskMeta {
    asides?: readonly Aside[];
  }
}

/** Options of a test or a `describe` that steps aside for these; without any it runs. */
export interface SteppingAside {
  readonly skip?: true;
  readonly meta?: { readonly asides: readonly Aside[] };
}

/** Options for what needs all of these: `test('...', without(tool('gdb')), () => ...)`. */
export function without(...lacks: readonly (Aside | undefined)[]): SteppingAside {
  const asides = lacks.filter((lack) => lack !== undefined);
  return asides.length === 0 ? {} : { skip: true, meta: { asides } };
}

/** The running test goes on without a part of what it compares; its report says which. */
export function noteAside(...asides: readonly Aside[]): void {
  const task = TestRunner.getCurrentTest();
  if (task !== undefined && asides.length > 0) task.meta.asides = [...(task.meta.asides ?? []), ...asides];
}

/** The running test ends here, and counts as stepped aside. */
export function stepAside(...asides: readonly Aside[]): never {
  noteAside(...asides);
  const task = TestRunner.getCurrentTest();
  const sentence = asides.map(({ what, why }) => `${what}: ${why}`).join(' ');
  if (task === undefined) throw new Error(`Only a test can step aside. ${sentence}`);
  return task.context.skip(sentence);
}

/** Debian's packages of the tools that tests use beside Node. */
const PACKAGES: Readonly<Record<string, string>> = {
  addr2line: 'binutils',
  chromium: 'chromium',
  debugfs: 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  editcap: 'wireshark-common',
  gcc: 'gcc libc6-dev',
  gdb: 'gdb',
  iasl: 'acpica-tools',
  lz4: 'lz4',
  nm: 'binutils',
  objcopy: 'binutils',
  objdump: 'binutils',
  python3: 'python3',
  'qemu-system-x86_64': 'qemu-system-x86',
  readelf: 'binutils',
  script: 'bsdutils',
  // With ssh-keygen.
  ssh: 'openssh-client',
  unshare: 'util-linux',
  capinfos: 'wireshark-common',
};

/** How a tool is asked whether it works here: its version, unless a better question is known. */
const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  debugfs: ['-V'],
  e2fsck: ['-V'],
  iasl: ['-v'],
  // Its version says nothing about whether it gets a terminal: a root without /dev/pts has none.
  script: ['-qec', 'true', '/dev/null'],
  ssh: ['-V'],
};

const asked = new Map<string, Aside | undefined>();

function ask(name: string): Aside | undefined {
  const { status, error } = spawnSync(name, QUESTIONS[name] ?? ['--version'], { encoding: 'utf8', input: '' });
  if (status === 0) return undefined;
  const packages = PACKAGES[name] ?? name;
  const missing = error !== undefined && 'code' in error && error.code === 'ENOENT';
  const why = missing ? `It is not installed (Debian: apt-get install ${packages}).` : 'It is here and does not work.';
  return { what: name, why, kind: 'tool' };
}

/** What is missing without this program; undefined when it works here. */
export function tool(name: string): Aside | undefined {
  if (!asked.has(name)) asked.set(name, ask(name));
  return asked.get(name);
}

/** What is missing without the package that opens pseudo terminals; undefined when it is here. */
export function noPseudoTerminals(): Aside | undefined {
  try {
    createRequire(import.meta.url)('node-pty');
    return undefined;
  } catch {
    const why = 'It is not installed, or does not load here (npm install --no-save node-pty@1.1.0).';
    return { what: 'node-pty', why, kind: 'tool' };
  }
}

/** What tools print in their own language would not be what tests look for. */
export const PLAIN_LANGUAGE: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C', LANGUAGE: 'C', DEBUGINFOD_URLS: '' };
