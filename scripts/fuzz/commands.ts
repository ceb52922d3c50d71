import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  copyFileSync,
  existsSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import seedrandom from 'seedrandom';
import { KIND_NAMES, KINDS, type Mutant } from '../../test/fuzz/kinds.ts';
import { makeSamples } from '../../test/fuzz/samples.ts';
import { type Draw, drawing } from '../../test/replay/mutated-events.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const DOCUMENTED = new Set([0, 1, 2, 3, 4]);
const MOST_CPU_SECONDS = 5;
const MOST_MIB = 512;
const WALL_MS = 120_000;
const SAID_EVERY = 50;
/** What a process of Node's opens of its own accord. */
const OF_THE_SYSTEM = /^\/(proc|sys|usr|lib|lib64|etc|dev\/(null|urandom|tty))\b/;
/** Where its packages and Node itself lie, wherever that is. */
const OF_NODE = [realpathSync(join(ROOT, 'node_modules')), dirname(realpathSync(process.execPath))];
const CALLS = 'open,openat,openat2,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,symlink,truncate';

/** What a process came to. */
interface Ran {
  readonly status: number | null;
  readonly signal: string | null;
  readonly said: string;
  readonly cpuSeconds: number;
  readonly mib: number;
  /** Files it opened or changed, as strace saw them. */
  readonly calls: readonly string[];
}

/** The command in one file, which starts five times as fast; it says what it used when it ends. */
function bundled(folder: string): string {
  const home = join(folder, 'command');
  mkdirSync(join(home, 'dist/cli'), { recursive: true });
  mkdirSync(join(home, 'guests/tour'), { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'));
  copyFileSync(join(ROOT, 'guests/tour/tour.elf'), join(home, 'guests/tour/tour.elf'));
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  const banner =
    "import { createRequire as requireAt } from 'node:module'; const require = requireAt(import.meta.url);";
  buildSync({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outfile: join(home, 'dist/cli/main.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['iced-x86'],
    banner: { js: banner },
    logLevel: 'error',
  });
  const start = [
    "import { writeSync } from 'node:fs';",
    "import { main } from './main.js';",
    "process.on('exit', () => writeSync(3, JSON.stringify(process.resourceUsage())));",
    'process.exitCode = await main(process.argv.slice(2));',
  ];
  const bin = join(home, 'dist/cli/bin.mjs');
  writeFileSync(bin, start.join('\n'));
  return bin;
}

const hasStrace = (): boolean => spawnSync('strace', ['-V']).status === 0;

function run(bin: string, log: string | undefined, words: readonly string[], cwd: string): Ran {
  const command = [process.execPath, '--max-old-space-size=768', bin, ...words];
  const traced =
    log === undefined ? [] : ['strace', '-f', '-qq', '--seccomp-bpf', '-s', '4096', '-e', `trace=${CALLS}`, '-o', log];
  const [first, ...rest] = [...traced, ...command] as [string, ...string[]];
  const ran = spawnSync(first, rest, {
    cwd,
    timeout: WALL_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const used = JSON.parse(String(ran.output?.[3] || '{}')) as Partial<NodeJS.ResourceUsage>;
  return {
    status: ran.status,
    signal: ran.signal,
    said: String(ran.stderr),
    cpuSeconds: ((used.userCPUTime ?? 0) + (used.systemCPUTime ?? 0)) / 1e6,
    mib: (used.maxRSS ?? 0) / 1024,
    calls: log === undefined || !existsSync(log) ? [] : readFileSync(log, 'utf8').split('\n'),
  };
}

/** The command line a mutant is given to. */
function commandFor({ given }: Mutant, draw: Draw, out: string): readonly string[] {
  if (given.as === 'guest') {
    const trace = draw.below(2) === 0 ? ['--no-trace'] : ['--trace', out];
    return ['run', ...given.options, '-m', '24', '--ticks', '3000', '-no-reboot', ...trace];
  }
  const { trace } = given;
  if (given.as === 'symbols') return ['debug', trace, '--symbols', given.symbols, '--batch', '--ex', 'info registers'];
  const commands: readonly (readonly string[])[] = [
    ['info', trace],
    ['events', trace, '--limit', '50'],
    ['events', trace, '--json', '--limit', '50'],
    ['stat', trace],
    ['fold', trace],
    ['rerun', trace],
    ['replay', trace],
    ['replay', trace, '--console'],
    ['diff', trace, trace],
    ['symbols', trace, '-o', out],
    ['index', trace],
    ['fork', trace, '--at', '50%', '--set', 'rax=1', '--trace', out, '--ticks', '2000'],
    ['debug', trace, '--batch', '--ex', 'info registers', '--ex', 'at 50%', '--ex', 'events', '--ex', 'back'],
  ];
  return draw.pick(commands);
}

/** An image that is not where it was is looked for beside the trace. */
const isListed = (call: string, home: string): boolean =>
  call.includes('O_DIRECTORY') && call.includes(`"${dirname(home)}"`);

const WRITES = /O_(WRONLY|RDWR|CREAT|TRUNC)|^\d+ +(creat|rename|unlink|mkdir|link|symlink|truncate)/;

/** The first file that was opened or changed and not named; undefined when there was none. */
function strayCall(calls: readonly string[], home: string, named: readonly string[]): string | undefined {
  return calls.find((call) => {
    const paths = [...call.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path]) => path as string);
    const isOurs = (path: string): boolean => named.some((each) => path === each || path.startsWith(`${each}.`));
    if (paths.length === 0 || paths.every(isOurs)) return false;
    if (isListed(call, home)) return false;
    if (WRITES.test(call)) return !paths.every((path) => isOurs(path) || path.startsWith('/dev/'));
    return !paths.every(
      (path) =>
        isOurs(path) ||
        path.startsWith(home) ||
        OF_THE_SYSTEM.test(path) ||
        OF_NODE.some((folder) => path.startsWith(folder)),
    );
  });
}

function faultOf({ status, signal, said, cpuSeconds, mib }: Ran): string | undefined {
  if (signal !== null || status === null) return `ended by ${signal}: ${said.slice(-500)}`;
  if (!DOCUMENTED.has(status)) return `status ${status}: ${said.slice(0, 2000)}`;
  if (status === 1 && !/^retrovisor: [^\n]+\n/m.test(said)) return `status 1 and no sentence: ${said}`;
  if (cpuSeconds > MOST_CPU_SECONDS) return `${cpuSeconds} s of CPU`;
  return mib > MOST_MIB ? `${mib} MiB` : undefined;
}

/** What the header of a trace says of images may be looked for where it says. */
function imagesNamed(files: readonly string[]): string[] {
  const trace = files.find((file) => file.endsWith('.trace'));
  return trace === undefined ? [] : ['/etc/passwd', '/dev/zero', 'passwd', 'zero'];
}

/** Give cases to the command, each in a process of its own. Resolves to how many were broken. */
export async function fuzzCommands(folder: string, count: number, from: string): Promise<number> {
  const samples = makeSamples(folder);
  const bin = bundled(folder);
  const log = hasStrace() ? join(folder, 'calls') : undefined;
  if (log === undefined) process.stdout.write('strace is not there: which files are opened is not looked at\n');
  const statuses: Record<string, number> = {};
  let broken = 0;
  let most = { cpuSeconds: 0, mib: 0 };
  for (let at = 0; at < count; at += 1) {
    const seed = `${from} ${at}`;
    const draw = drawing(seedrandom.alea(seed));
    const kind = draw.pick(KIND_NAMES);
    const mutant = KINDS[kind]!(samples, draw);
    const out = join(folder, 'out');
    const words = commandFor(mutant, draw, out);
    const ran = run(bin, log, words, folder);
    const named = [...mutant.files, out, ...imagesNamed(mutant.files)];
    const stray = strayCall(ran.calls, join(folder, 'command'), named);
    const fault = faultOf(ran) ?? (stray === undefined ? undefined : `not named: ${stray}`);
    const status = `${ran.status}`;
    statuses[status] = (statuses[status] ?? 0) + 1;
    most = { cpuSeconds: Math.max(most.cpuSeconds, ran.cpuSeconds), mib: Math.max(most.mib, ran.mib) };
    if (fault !== undefined) {
      broken += 1;
      process.stdout.write(`${seed}: ${kind}, ${words[0]}: ${fault}\n`);
    }
    for (const file of [out, `${out}.ckpt`, join(folder, 'case.trace.ckpt')]) rmSync(file, { force: true });
    if ((at + 1) % SAID_EVERY === 0) {
      process.stdout.write(`${at + 1} processes: statuses ${JSON.stringify(statuses)}, most ${JSON.stringify(most)}\n`);
    }
  }
  process.stdout.write(`${count} processes from ${from}: statuses ${JSON.stringify(statuses)}, ${broken} broken\n`);
  return broken;
}
