/**
 * Debian's kernel on every machine we promise it for, at full length: booted to its shell, asked, powered off, replayed
 * in a second process and, with `--node PATH`, by another Node; then a number of seeds of the two-processor boot, which
 * must all differ. `--memory`: sizes of memory instead, each at so many seeds, from which the kernel's place in it
 * follows; one that is too small is refused. Needs `npm run guests`.
 * `npx tsx scripts/debian-matrix.ts [--seeds 20] [--memory] [--node PATH] [--keep FOLDER]`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const GUESTS = join(ROOT, '.guests');

interface Boot {
  readonly name: string;
  readonly cpus: number;
  readonly firmware?: boolean;
  readonly append?: string;
  readonly seed?: string;
  /** MiB; usually 256. */
  readonly memory?: number;
}

const MACHINES: readonly Boot[] = [
  ...[1, 2, 4].map((cpus) => ({ name: `direct, -smp ${cpus}`, cpus })),
  ...[1, 2, 4].map((cpus) => ({ name: `SeaBIOS, -smp ${cpus}`, cpus, firmware: true })),
  { name: 'noapic', cpus: 1, append: 'noapic' },
];
const SEEDED = (count: number): Boot[] =>
  Array.from({ length: count }, (_, i) => ({ name: `-smp 2, seed ${i + 1}`, cpus: 2, seed: `${i + 1}` }));

/** Below and above 2 GiB, with the engine's own memory before it. */
const SIZES = [48, 128, 512, 2047, 2049, 2560, 3000, 3072];
const SIZED = (count: number): Boot[] =>
  SIZES.flatMap((memory) =>
    Array.from({ length: count }, (_, i) => ({
      name: `-m ${memory}, -smp ${i === 0 ? 4 : 1}, seed ${i + 1}`,
      cpus: i === 0 ? 4 : 1,
      seed: `${i + 1}`,
      memory,
    })),
  );

const WANTED = [/Hypervisor detected: KVM/, /kvm-clock: Using msrs/, /reboot: Power down/];
const UNWANTED = /WARNING:|BUG:|Oops|Call Trace|Marking TSC unstable|Kernel panic|rcu.*stall/;
/** Of the same second for every boot, so that only the seed tells two boots apart. */
const WALL_CLOCK = '1795446893';

function run(node: string, args: readonly string[]): { status: number | null; out: string } {
  const ran = spawnSync(node, [BIN, ...args], { encoding: 'utf8', input: '', maxBuffer: 1 << 28, timeout: 900_000 });
  return { status: ran.status, out: ran.stdout + ran.stderr };
}

function bootArguments({ cpus, firmware, append, seed, memory = 256 }: Boot, trace: string): string[] {
  const lines = ['nproc', 'cat /proc/interrupts', 'poweroff -f'];
  return [
    ...['run', '-m', `${memory}`, '-smp', `${cpus}`, '-nodefaults', '-no-reboot', '-serial', 'stdio', '--trace', trace],
    ...['-kernel', join(GUESTS, 'vmlinuz'), '-initrd', join(GUESTS, 'initramfs.gz')],
    ...['-append', `console=ttyS0 panic=-1${append === undefined ? '' : ` ${append}`}`, '--wall-clock', WALL_CLOCK],
    ...(firmware === true ? ['-bios', join(GUESTS, 'bios-256k.bin')] : []),
    ...(seed === undefined ? [] : ['--seed', seed]),
    ...lines.flatMap((line) => ['--type', `after:/ # :${line}\\n`]),
  ];
}

/** What a boot's console and status lack; empty when nothing. */
function complaints({ cpus }: Boot, { status, out }: { status: number | null; out: string }): string[] {
  return [
    ...(status === 0 ? [] : [`status ${status}`]),
    ...WANTED.filter((text) => !text.test(out)).map((text) => `no ${text.source}`),
    ...(UNWANTED.exec(out) ?? []).map((text) => `console says ${text}`),
    ...(new RegExp(`^${cpus}\\r?$`, 'm').test(out) ? [] : [`nproc is not ${cpus}`]),
  ];
}

/** The machine has too little memory, and is told how much it needs. */
const isRefused = ({ status, out }: { status: number | null; out: string }): boolean =>
  status === 1 && / needs? \d+ MiB of memory and the machine has \d+/.test(out);

interface Outcome {
  readonly digest: string;
  readonly problems: readonly string[];
}

function bootAndReplay(boot: Boot, trace: string, nodes: readonly string[]): Outcome {
  const ran = run(process.execPath, bootArguments(boot, trace));
  if (isRefused(ran)) return { digest: 'refused', problems: [] };
  const problems = complaints(boot, ran);
  const digests = nodes.map((node) => {
    const { status, out } = run(node, ['replay', trace]);
    const isExact = status === 0 && out.includes('0 divergences');
    if (!isExact) problems.push(`${node} replay: ${out.trim().split('\n').at(-1)}`);
    return /digest ([0-9a-f]+)/.exec(out)?.[1] ?? 'none';
  });
  if (new Set(digests).size !== 1) problems.push(`digests differ: ${digests.join(', ')}`);
  return { digest: digests[0]!, problems };
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20' },
      memory: { type: 'boolean' },
      node: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  const missing = ['vmlinuz', 'initramfs.gz', 'bios-256k.bin'].find((name) => !existsSync(join(GUESTS, name)));
  if (missing !== undefined) {
    console.error(`.guests/${missing} is not here: \`npm run guests\` fetches it.`);
    return 2;
  }
  if (values.keep !== undefined) mkdirSync(values.keep, { recursive: true });
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-matrix-'));
  const nodes = [process.execPath, ...(values.node === undefined ? [] : [values.node])];
  let failed = 0;
  const seen = new Map<string, string>();
  const seeds = Number(values.seeds);
  const boots = values.memory === true ? SIZED(seeds) : [...MACHINES, ...SEEDED(seeds)];
  for (const boot of boots) {
    const begun = process.hrtime.bigint();
    const trace = join(folder, `${boot.name.replaceAll(/[^\w]+/g, '-')}.trace`);
    const { digest, problems } = bootAndReplay(boot, trace, boot.seed === undefined ? nodes : nodes.slice(0, 1));
    const twin = boot.seed === undefined || digest === 'refused' ? undefined : seen.get(digest);
    const all = twin === undefined ? problems : [...problems, `the same run as ${twin}`];
    if (boot.seed !== undefined) seen.set(digest, boot.name);
    if (all.length > 0) failed += 1;
    if (values.keep === undefined) rmSync(trace, { force: true });
    const seconds = Math.round(Number(process.hrtime.bigint() - begun) / 1e9);
    const verdict = all.length === 0 ? 'ok' : `FAILED: ${all.join('; ')}`;
    console.log(`${boot.name.padEnd(20)} ${digest}  ${seconds} s  ${verdict}`);
  }
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  console.log(`${boots.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exit(main());
