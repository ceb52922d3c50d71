/**
 * Machines of one run: what N guests on a bridge cost, beside the sum of what each costs alone. First guests that have
 * nothing to do with each other, each of them also in a run of its own; then guests that fetch a file from each other,
 * each of them also replayed alone. `npx tsx bench/fabric.ts [--guests 2,3] [--rounds 3]`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { writeInitramfs } from '../scripts/guests/initramfs.ts';
import { measured, median } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const GUESTS = join(ROOT, '.guests');

const FIRST = `for w in $(cat /proc/cmdline); do case $w in rv.*=*) eval \${w#rv.};; esac; done
network
ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.$n/24 dev eth0
`;

/** Each counts sums for itself. */
const ALONE = `${FIRST}for i in 1 2 3; do head -c 16777216 /dev/zero | md5sum; sleep 1; done
poweroff -f
`;

/** Each fetches 16 MiB from the one before it, the first from the last. */
const TOGETHER = `${FIRST}mkdir /www; head -c 16777216 /dev/zero > /www/f; httpd -p 80 -h /www
sleep 3; wget -q -O - http://10.9.0.$peer/f | md5sum; sleep 10
poweroff -f
`;

interface Place {
  readonly folder: string;
  readonly initrd: string;
}

/** A file of machines, of which those from `first` on are there. */
function machineFile({ folder, initrd }: Place, guests: number, only?: number): string {
  const all = Array.from({ length: guests }, (_, at) => at).filter((at) => only === undefined || at === only);
  const machines = all.map((at) => {
    const own = `rv.n=${at + 10} rv.peer=${((at + guests - 1) % guests) + 10}`;
    return [`g${at}`, { append: `console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script ${own}` }];
  });
  const common = {
    ...{ kernel: join(GUESTS, 'vmlinuz'), initrd, m: 256, nodefaults: true, serial: 'stdio' },
    ...{ netdev: 'tap,id=n0,br=br0', device: 'virtio-net-pci,netdev=n0' },
  };
  const path = join(folder, 'machines.json');
  writeFileSync(path, JSON.stringify({ common, machines: Object.fromEntries(machines), bridges: { br0: {} } }));
  return path;
}

function cpuOf(args: readonly string[]): number {
  const { status, cpuSeconds, out } = measured(process.execPath, [BIN, ...args]);
  if (status !== 0) throw new Error(`${args.join(' ')} ended with status ${status}.\n${out}`);
  return cpuSeconds;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);

interface Measured {
  readonly together: number;
  readonly apart: number;
}

function withNothingToSay(place: Place, guests: number): Measured {
  const run = (only?: number): number =>
    cpuOf([
      ...['run', '--machine', machineFile(place, guests, only), '--trace', join(place.folder, 'run.trace')],
      ...['--wall-clock', '1700000000', '--quiet'],
    ]);
  const together = run();
  return { together, apart: sum(Array.from({ length: guests }, (_, at) => run(at))) };
}

function inConversation(place: Place, guests: number): Measured {
  const trace = join(place.folder, 'run.trace');
  const args = ['--trace', trace, '--wall-clock', '1700000000', '--quiet'];
  const together = cpuOf(['run', '--machine', machineFile(place, guests), ...args]);
  const names = [...Array.from({ length: guests }, (_, at) => `g${at}`), 'br0'];
  return { together, apart: sum(names.map((name) => cpuOf(['replay', `${trace}:${name}`]))) };
}

const LOADS = [
  { name: 'nothing to say', script: ALONE, of: withNothingToSay },
  { name: 'fetching 16 MiB', script: TOGETHER, of: inConversation },
] as const;

function main(): void {
  const { values } = parseArgs({
    options: { guests: { type: 'string', default: '2,3' }, rounds: { type: 'string', default: '3' } },
  });
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-fabric-'));
  const table = new Table({ head: ['guests', 'load', 'CPU s of the run', 'CPU s apart', 'ratio (aim 1.1)'] });
  try {
    for (const { name, script, of } of LOADS) {
      const initrd = writeInitramfs(GUESTS, join(folder, 'script.gz'), script);
      for (const guests of values.guests.split(',').map(Number)) {
        const rounds = Array.from({ length: Number(values.rounds) }, () => of({ folder, initrd }, guests));
        const [together, apart] = [rounds.map((each) => each.together), rounds.map((each) => each.apart)].map(median);
        const ratio = median(rounds.map((each) => each.together / each.apart));
        table.push([guests, name, together!.toFixed(1), apart!.toFixed(1), ratio.toFixed(2)]);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}\n${table.toString()}`);
}

main();
