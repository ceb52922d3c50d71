/**
 * Network cards under load: wget and ping inside Linux, ours and QEMU (plain, icount) in turn in one go, so that all
 * see the same machine; then what a packet is of exits, events and bytes of trace.
 * `npx tsx bench/network.ts [--only ours,icount...] [--keep FOLDER]`.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { isHere } from '../scripts/guests/apt.ts';
import type { DebianKernel } from '../scripts/guests/initramfs.ts';
import { eventsByLoad, type Told } from './events-by-load.ts';
import { LOADS, makeInitrd, makeWorld, OUR_URL, serve } from './network/guest.ts';
import { type Spent, watched } from './watched.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const MILLION = 1e6;

const CARDS = {
  'virtio-net': { device: 'virtio-net-pci', kernel: 'cloud', file: 'vmlinuz' },
  e1000: { device: 'e1000', kernel: 'generic', file: 'vmlinuz-generic' },
} as const satisfies Readonly<Record<string, { device: string; kernel: DebianKernel; file: string }>>;

type Card = (typeof CARDS)[keyof typeof CARDS];

/** Ours with a card's properties, and with a tap on a bridge between; or QEMU with a way to keep time. */
const OURS: Readonly<Record<string, { readonly properties?: string; readonly tap?: string }>> = {
  ours: {},
  'event_idx=off': { properties: ',event_idx=off' },
  'ioeventfd=off': { properties: ',ioeventfd=off' },
  tap: { tap: '' },
  vhost: { tap: ',vhost=on' },
};
const QEMU = { tcg: [], icount: ['-icount', 'shift=3'] } as const;

interface Ran {
  readonly spent: ReadonlyMap<string, Spent>;
  readonly told?: ReadonlyMap<string, Told>;
}

interface Place {
  readonly guests: string;
  readonly folder: string;
}

const common = ({ guests, folder }: Place, { kernel, file }: Card, url: string): string[] => [
  ...['-m', '512', '-nodefaults', '-serial', 'stdio', '-kernel', join(guests, file)],
  ...['-initrd', join(folder, `${kernel}.gz`)],
  ...['-append', `console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script ${url}`],
];

async function ours(place: Place, card: Card, { properties = '', tap }: (typeof OURS)[string]): Promise<Ran> {
  const trace = join(place.folder, 'network.trace');
  const world = `world=${join(place.folder, 'world.json')}`;
  const onBridge = ['-netdev', `tap,id=n${tap}`, '-netdev', `user,id=up,${world}`, '--bridge', 'br0,ports=up'];
  const net = tap === undefined ? ['-netdev', `user,id=n,${world}`] : onBridge;
  const device = ['-device', `${card.device},netdev=n${properties}`];
  const args = [BIN, 'run', ...common(place, card, OUR_URL), ...net, ...device];
  const spent = await watched(process.execPath, [...args, '--wall-clock', '1700000000', '--trace', trace], trace);
  return { spent, told: await eventsByLoad(trace) };
}

async function qemu(place: Place, card: Card, way: readonly string[]): Promise<Ran> {
  const { server, url } = await serve();
  try {
    const fixed = ['-accel', 'tcg,thread=single', '-display', 'none', '-no-reboot', ...way];
    const net = ['-netdev', 'user,id=n', '-device', `${card.device},netdev=n,romfile=`];
    return { spent: await watched('qemu-system-x86_64', [...fixed, ...common(place, card, url), ...net], undefined) };
  } finally {
    server.close();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      guests: { type: 'string', default: join(ROOT, '.guests') },
      only: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  if (!existsSync(join(values.guests, 'vmlinuz-generic')) || !existsSync(join(values.guests, 'vmlinuz'))) {
    console.error(`There are no kernels in ${values.guests}: run \`npm run guests\` and \`npm run guests -- net\`.`);
    return 2;
  }
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    await compare({ guests: values.guests, folder }, values.only?.split(','));
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

async function compare(place: Place, only: readonly string[] | undefined): Promise<void> {
  makeWorld(place.folder);
  for (const kernel of ['cloud', 'generic'] as const) makeInitrd(place.guests, place.folder, kernel);
  const isAsked = (name: string): boolean => only === undefined || only.includes(name);
  console.log(`${cpus()[0]!.model}, Node ${process.versions.node}`);
  for (const [name, card] of Object.entries(CARDS)) {
    if (only !== undefined && !isAsked(name) && Object.keys(CARDS).some((each) => only.includes(each))) continue;
    const ran = new Map<string, Ran>();
    const run = async (machine: string, how: () => Promise<Ran>): Promise<void> => {
      if (only !== undefined && !isAsked(machine) && machine in { ...OURS, ...QEMU }) return;
      console.error(`${name}, ${machine} ...`);
      ran.set(machine, await how());
    };
    for (const [machine, how] of Object.entries(OURS)) {
      if (machine === 'ours' || card.device !== 'e1000') await run(machine, () => ours(place, card, how));
    }
    const ways = isHere('qemu-system-x86_64') ? Object.entries(QEMU) : [];
    for (const [machine, way] of ways) await run(machine, () => qemu(place, card, way));
    console.log(costTable(name, ran));
    console.log(packetTable(name, ran));
  }
}

/** What moving bytes cost. The aim: a download for at most three times the CPU of QEMU with icount. */
function costTable(card: string, ran: ReadonlyMap<string, Ran>): string {
  const table = new Table({ head: [card, 'machine', 'CPU s', 'wall s', 'MB a CPU s', 'CPU over icount'] });
  for (const { name, bytes } of LOADS) {
    for (const [machine, { spent }] of ran) {
      const { cpuSeconds, wallSeconds } = spent.get(name)!;
      const rate = bytes === 0 ? '' : (bytes / MILLION / cpuSeconds).toFixed(1);
      const icount = ran.get('icount')?.spent.get(name)?.cpuSeconds;
      const over = icount === undefined || icount === 0 ? '' : (cpuSeconds / icount).toFixed(2);
      table.push([name, machine, cpuSeconds.toFixed(2), wallSeconds.toFixed(2), rate, over]);
    }
  }
  return table.toString();
}

/** Aims: at most 24 events and 48 bytes of trace a packet besides its payload; 7 exits an echo of the e1000. */
function packetTable(card: string, ran: ReadonlyMap<string, Ran>): string {
  const head = ['packets', 'exits', 'to user space', 'kicks', 'interrupts', 'events', 'bytes of trace'];
  const table = new Table({ head: [card, 'machine', head[0]!, ...head.slice(1).map((name) => `${name} a packet`)] });
  for (const { name, bytes } of LOADS) {
    for (const [machine, { spent, told }] of ran) {
      if (told === undefined) continue;
      const { exits, userspaceExits, kicks, interrupts, events, kinds } = told.get(name)!;
      const packets = kinds.get('sim:packet_sent') ?? 0;
      const each = [exits, userspaceExits, kicks, interrupts, events, spent.get(name)!.recorded - bytes];
      table.push([name, machine, packets, ...each.map((count) => (count / packets).toFixed(2))]);
    }
  }
  return table.toString();
}

process.exitCode = await main();
