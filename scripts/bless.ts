/**
 * `npm run bless`: record the golden traces anew and say what moved. Only when events or digests change on purpose:
 * a commit of its own, with the old and new digests in its body.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { openTraceFile } from '../src/host/trace-file.ts';

const ROOT = join(import.meta.dirname, '..');
const TABLE = join(ROOT, 'traces/golden.json');

/** One recording: what it proves, and how it is made. `guests`: needs the images `npm run guests` fetches. */
export interface Golden {
  readonly name: string;
  readonly proves: string;
  readonly guests: boolean;
  readonly run: readonly string[];
}

const TOUR = ['-kernel', 'guests/tour/tour.elf', '-m', '64', '-nodefaults', '-display', 'none', '-serial', 'stdio'];
const DISK = ['-drive', 'file=guests/tour/disk.img,format=raw,if=virtio'];
const EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
const SEABIOS = '.guests/bios-256k.bin';
const KERNEL = ['-kernel', '.guests/vmlinuz', '-initrd', '.guests/initramfs.gz', '-append', 'console=ttyS0 panic=-1'];

/** The golden traces. */
export const GOLDEN: readonly Golden[] = [
  { name: 'tour', proves: 'our guest on one vCPU, every station', guests: false, run: [...TOUR, ...DISK, ...EXIT] },
  {
    name: 'tour-smp2',
    proves: 'two vCPUs taking turns by the seed',
    guests: false,
    run: [...TOUR, ...DISK, ...EXIT, '-smp', '2'],
  },
  {
    name: 'tour-smp4',
    proves: 'four vCPUs, another seed, power-off by ACPI',
    guests: false,
    run: [...TOUR, '-smp', '4', '--seed', 'four'],
  },
  {
    name: 'seabios',
    proves: 'firmware from the reset vector, real mode, PCI, fw_cfg',
    guests: true,
    run: ['-bios', SEABIOS, '-m', '64', '-nodefaults', '-display', 'none', '-serial', 'none', '--ticks', '6000000'],
  },
  {
    name: 'disk',
    proves: 'our guest started by firmware from its disk',
    guests: true,
    run: ['-bios', SEABIOS, '-m', '64', '-nodefaults', '-display', 'none', '-serial', 'stdio', ...DISK],
  },
  {
    name: 'linux',
    proves: "Debian's kernel unpacks itself and starts up",
    guests: true,
    run: [...KERNEL, '-m', '256', '-nodefaults', '-display', 'none', '-serial', 'stdio', '--ticks', '300000000'],
  },
];

const BLESSED = z.object({
  digest: z.string(),
  events: z.number(),
  bytes: z.number(),
  /** Version of the trace format it is in. */
  format: z.number(),
});

/** What `npm run bless` wrote down of each trace. */
export type Blessed = Readonly<z.infer<typeof BLESSED>>;

/** What it wrote of all of them, by name. */
export const blessed = (): Record<string, Blessed> =>
  existsSync(TABLE) ? z.record(z.string(), BLESSED).parse(JSON.parse(readFileSync(TABLE, 'utf8'))) : {};

const cli = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(ROOT, 'bin/retrovisor.js'), ...args], {
    cwd: ROOT,
    input: '',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });

function verdict(trace: string): { digest: string; events: number } {
  const { stdout, stderr, status } = cli('replay', trace);
  const digest = /digest ([0-9a-f]+)/.exec(stdout)?.[1];
  const events = /(\d+) events/.exec(stdout)?.[1];
  if (status !== 0 || digest === undefined || events === undefined) throw new Error(`${trace}: ${stdout}${stderr}`);
  return { digest, events: Number(events) };
}

function measured(path: string): { bytes: number; format: number } {
  const trace = openTraceFile(path);
  trace.close();
  return { bytes: statSync(path).size, format: trace.version };
}

function bless(): void {
  const before = blessed();
  const after: Record<string, Blessed> = {};
  for (const { name, run, guests } of GOLDEN) {
    if (guests && !existsSync(join(ROOT, '.guests'))) {
      console.log(`${name}: needs the real guests; run \`npm run guests\` first. Kept as it was.`);
      if (before[name] !== undefined) after[name] = before[name];
      continue;
    }
    const file = `traces/${name}.trace`;
    const { stderr } = cli('run', ...run, '--wall-clock', '1700000000', '--trace', file);
    if (!existsSync(join(ROOT, file))) throw new Error(`${name}: ${stderr}`);
    rmSync(join(ROOT, `${file}.old`), { force: true });
    after[name] = { ...verdict(file), ...measured(join(ROOT, file)) };
    const old = before[name]?.digest;
    console.log(`${name}: ${old === after[name].digest ? 'unchanged' : `${old ?? 'new'} -> ${after[name].digest}`}`);
  }
  writeFileSync(TABLE, `${JSON.stringify(after, undefined, 2)}\n`);
  writeFileSync(join(ROOT, 'traces/README.md'), table(after));
}

/** What traces/README.md says of them. */
export function table(all: Readonly<Record<string, Blessed>>): string {
  const rows = GOLDEN.filter(({ name }) => all[name] !== undefined).map(({ name, proves }) => {
    const { digest, events, bytes, format } = all[name] as Blessed;
    return `| ${name}.trace | ${proves} | ${events} | ${bytes} | ${format} | \`${digest}\` |`;
  });
  return `# Golden traces

Recordings of real runs that must replay as they are, made by \`npm run bless\` and made anew only where events or
digests change on purpose; \`npm run test:all\` replays them, \`npm test\` the first. Those below the tours need the
images \`npm run guests\` fetches.

| trace | what it proves | events | bytes | format | final digest |
|---|---|---:|---:|---:|---|
${rows.join('\n')}
`;
}

if (process.argv[1]?.endsWith('bless.ts')) {
  bless();
}
