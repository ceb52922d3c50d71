/**
 * A disk under load: dd and fio inside Linux, ours and QEMU (plain, icount, rr=record) in turn in one go, so that all
 * see the same machine; then what a request is of exits, events and bytes of trace, with and without EVENT_IDX,
 * ioeventfd and MSI-X; then checkpoints beside a large disk.
 * `npx tsx bench/disk.ts [--only ours,icount,checkpoints...] [--keep FOLDER]`.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { isHere } from '../scripts/guests/apt.ts';
import type { CheckpointTimes } from './checkpoint-times.ts';
import { checkpointsDuring } from './disk/checkpoints.ts';
import { eventsByLoad, type Told } from './events-by-load.ts';
import { type BenchGuest, emptyFile, type Load, makeGuest, makeInitrd, NO_DISK, WRITE_100M } from './disk/guest.ts';
import { type Spent, watched } from './watched.ts';
import { percentile } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'bin/retrovisor.js');
const MILLION = 1e6;
const LARGE = 10 * 2 ** 30;

/** The ways to run the guest that are compared: ours with a device's properties, or QEMU with a way to keep time. */
const OURS = {
  ours: '',
  'event_idx=off': ',event_idx=off',
  'ioeventfd=off': ',ioeventfd=off',
  'vectors=0': ',vectors=0',
} as const;
const QEMU = { tcg: [], icount: ['-icount', 'shift=3'], 'rr=record': undefined } as const;

interface Ran {
  readonly spent: ReadonlyMap<string, Spent>;
  readonly told?: ReadonlyMap<string, Told>;
}

/** A drive to a device, as both take it. */
const drive = (id: string, file: string, properties = ''): string[] => [
  ...['-drive', `file=${file},if=none,id=${id},format=raw`],
  ...['-device', `virtio-blk-pci,drive=${id}${properties}`],
];

const common = ({ kernel, initrd, fio }: BenchGuest): string[] => [
  ...['-m', '512', '-nodefaults', '-serial', 'stdio', '-kernel', kernel, '-initrd', initrd],
  ...['-append', 'console=ttyS0 panic=-1 quiet rdinit=/script'],
  ...(fio === undefined ? [] : ['-drive', `file=${fio},if=none,id=fio,format=raw,readonly=on`]),
];

const fioDevice = ({ fio }: BenchGuest): string[] => (fio === undefined ? [] : ['-device', 'virtio-blk-pci,drive=fio']);

async function ours(guest: BenchGuest, properties: string, folder: string): Promise<Ran> {
  const trace = join(folder, 'disk.trace');
  const devices = [...drive('d', guest.disk, properties), ...fioDevice(guest)];
  const args = [BIN, 'run', ...common(guest), ...devices, '--wall-clock', '1700000000', '--trace', trace];
  const spent = await watched(process.execPath, args, trace);
  return { spent, told: await eventsByLoad(trace) };
}

async function qemu(guest: BenchGuest, way: readonly string[] | undefined, folder: string): Promise<Ran> {
  const log = join(folder, 'rr.bin');
  const options = way ?? ['-icount', `shift=3,rr=record,rrfile=${log}`];
  // It writes into the image: that is the folder's own.
  const fixed = ['-accel', 'tcg,thread=single', '-display', 'none', '-no-reboot', ...options];
  const disks =
    way === undefined
      ? [...blkreplay('d', guest.disk), ...(guest.fio === undefined ? [] : blkreplay('fio', guest.fio))]
      : [...drive('d', guest.disk), ...fioDevice(guest)];
  const machine = way === undefined ? common({ ...guest, fio: undefined }) : common(guest);
  const spent = await watched(
    'qemu-system-x86_64',
    [...fixed, ...machine, ...disks],
    way === undefined ? log : undefined,
  );
  return { spent };
}

/** QEMU's docs/system/replay.rst: what a recorded run needs around each image. */
const blkreplay = (id: string, file: string): string[] => [
  ...['-drive', `file=${file},if=none,id=${id}-file,format=raw`],
  ...['-drive', `driver=blkreplay,if=none,image=${id}-file,id=${id}`],
  ...['-device', `virtio-blk-pci,drive=${id}`],
];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      guests: { type: 'string', default: join(ROOT, '.guests') },
      only: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  if (!existsSync(join(values.guests, 'vmlinuz'))) {
    console.error(`There is no kernel in ${values.guests}: run \`npm run guests\` first.`);
    return 2;
  }
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    await compare(values.guests, folder, values.only?.split(','));
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

/** What a checkpoint costs with a disk of 10 GB of which 100 MB were written, and without any. */
async function checkpoints(guests: string, folder: string): Promise<string> {
  const trace = join(folder, 'checkpoints.trace');
  const kernel = join(guests, 'vmlinuz');
  const during = (loads: readonly Load[], disk: string): Promise<CheckpointTimes> => {
    const initrd = makeInitrd(guests, folder, loads);
    const guest = [...common({ kernel, initrd, disk, fio: undefined }), ...(disk === '' ? [] : drive('d', disk))];
    return checkpointsDuring('then', [BIN, 'run', ...guest, '--wall-clock', '1700000000'], trace);
  };
  const table = new Table({ head: ['checkpoints, ms', 'take p50', 'p90', 'restore p50', 'p90'] });
  const row = (name: string, { take, restore }: CheckpointTimes): void => {
    const figures = [take, restore].flatMap((times) => [percentile(times, 0.5), percentile(times, 0.9)]);
    table.push([name, ...figures.map((ms) => ms.toFixed(2))]);
  };
  row('no disk', await during(NO_DISK, ''));
  row('10 GB, 100 MB written', await during(WRITE_100M, emptyFile(join(folder, 'large.raw'), LARGE)));
  return table.toString();
}

async function compare(guests: string, folder: string, only: readonly string[] | undefined): Promise<void> {
  const { guest, loads } = makeGuest(guests, folder);
  const isAsked = (name: string): boolean => only === undefined || only.includes(name);
  const hasQemu = isHere('qemu-system-x86_64');
  const ran = new Map<string, Ran>();
  const run = async (name: string, how: () => Promise<Ran>): Promise<void> => {
    if (!isAsked(name)) return;
    console.error(`${name} ...`);
    ran.set(name, await how());
  };
  for (const [name, properties] of Object.entries(OURS)) await run(name, () => ours(guest, properties, folder));
  for (const [name, way] of hasQemu ? Object.entries(QEMU) : []) await run(name, () => qemu(guest, way, folder));
  console.log(`${cpus()[0]!.model}, Node ${process.versions.node}`);
  if (ran.size > 0) console.log(costTable(loads, ran));
  if (ran.has('ours') && ran.has('icount')) console.log(ratioTable(loads, ran.get('ours')!, ran.get('icount')!));
  if (ran.size > 0) console.log(eventTable(loads, ran));
  if (isAsked('checkpoints')) console.log(await checkpoints(guests, folder));
}

/** What a request cost, and bytes moved a second of CPU. */
function costTable(loads: readonly Load[], ran: ReadonlyMap<string, Ran>): string {
  const table = new Table({ head: ['load', 'machine', 'CPU s', 'wall s', 'us CPU a request', 'MB a CPU s'] });
  for (const { name, requests, bytes } of loads) {
    for (const [machine, { spent }] of ran) {
      const { cpuSeconds, wallSeconds } = spent.get(name)!;
      const each = ((cpuSeconds / requests) * MILLION).toFixed(0);
      const rate = ((requests * bytes) / MILLION / cpuSeconds).toFixed(0);
      table.push([name, machine, cpuSeconds.toFixed(2), wallSeconds.toFixed(2), each, rate]);
    }
  }
  return table.toString();
}

/** Aims: for 4 KiB at most a quarter of icount's CPU, for 128 KiB at least 0.6 of its bytes a second. */
function ratioTable(loads: readonly Load[], mine: Ran, icount: Ran): string {
  const table = new Table({ head: ['load', 'CPU over icount', 'MB a CPU s over icount', 'aim'] });
  for (const { name, bytes } of loads) {
    const ratio = mine.spent.get(name)!.cpuSeconds / icount.spent.get(name)!.cpuSeconds;
    table.push([name, ratio.toFixed(2), (1 / ratio).toFixed(2), bytes > 4096 ? 'MB >= 0.6' : 'CPU <= 0.25']);
  }
  return table.toString();
}

function eventTable(loads: readonly Load[], ran: ReadonlyMap<string, Ran>): string {
  const head = ['load', 'device', 'exits', 'to user space', 'kicks', 'interrupts', 'events', 'bytes of trace'];
  const table = new Table({ head: [...head.slice(0, 2), ...head.slice(2).map((name) => `${name} a request`)] });
  for (const { name, requests } of loads) {
    for (const [machine, { spent, told }] of ran) {
      if (told === undefined) continue;
      const { exits, userspaceExits, kicks, interrupts, events } = told.get(name)!;
      const each = [exits, userspaceExits, kicks, interrupts, events, spent.get(name)!.recorded];
      table.push([name, machine, ...each.map((count) => (count / requests).toFixed(2))]);
    }
  }
  return table.toString();
}

process.exitCode = await main();
