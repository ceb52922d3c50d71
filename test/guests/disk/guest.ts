import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RecordedGuest, recordGuest } from '../../../src/testing/recorded-guest.ts';

/** A program that drives a virtio-blk-pci by its legacy registers as its command line says: devices/disk.c. */
export const DISK_PROGRAM = fileURLToPath(new URL('../devices/disk.elf', import.meta.url));

const EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];
const SERIAL = 'RV0001';
export const SECTOR = 512;

/** The status of a program that came to its end. */
export const DONE = 0x21;

/** An image of so many sectors, each full of its own number. */
export function makeDisk(path: string, sectors: number): string {
  const file = openSync(path, 'w');
  ftruncateSync(file, sectors * SECTOR);
  for (let at = 0; at < sectors; at += 1) writeSync(file, new Uint8Array(SECTOR).fill(at), 0, SECTOR, at * SECTOR);
  closeSync(file);
  return path;
}

/** Its steps recorded on a disk. */
export const recordDisk = (
  trace: string,
  image: string,
  steps: string,
  more: readonly string[] = [],
  drive = '',
): RecordedGuest =>
  recordGuest(trace, [
    ...['-m', '16', '-nodefaults', '-serial', 'stdio', ...EXIT, '--wall-clock', '1700000000'],
    ...['-drive', `file=${image},if=none,id=d,format=raw,serial=${SERIAL}${drive}`],
    ...['-device', 'virtio-blk-pci,drive=d', '-kernel', DISK_PROGRAM, '-append', steps, ...more],
  ]);

/** A disk that is not as any, and the steps asked of it. */
export interface Steps {
  readonly steps: string;
  /** Of `-drive` and `-device`, besides what each has. */
  readonly drive?: string;
  readonly device?: string;
}

/** A command line of ours that asks them. */
export const diskOptions = (image: string, { steps, drive = '', device = '' }: Steps): string[] => [
  ...['-m', '16', '-nodefaults', '-serial', 'stdio', ...EXIT, '--wall-clock', '1700000000'],
  ...['-drive', ['if=none,id=d,format=raw', `file=${image}`, drive].filter(Boolean).join(',')],
  ...['-device', ['virtio-blk-pci,drive=d', `serial=${SERIAL}`, device].filter(Boolean).join(',')],
  ...['-kernel', DISK_PROGRAM, '-append', steps],
];

/** The same of QEMU, whose image is written to. `rules`: what its blkdebug makes fail. */
function faultyOptions(image: string, { steps, device = '', rules }: Steps & { readonly rules: readonly object[] }) {
  const file = {
    ...{ driver: 'blkdebug', discard: 'unmap', image: { driver: 'file', filename: image, discard: 'unmap' } },
    'inject-error': rules.map((rule) => ({ event: 'none', ...rule })),
  };
  return [
    ...['-M', 'pc,accel=tcg', '-m', '16', '-nodefaults', '-display', 'none', ...EXIT],
    ...['-blockdev', JSON.stringify({ driver: 'raw', 'node-name': 'd', discard: 'unmap', file })],
    ...['-device', ['virtio-blk-pci,drive=d', `serial=${SERIAL}`, device].filter(Boolean).join(',')],
    ...['-kernel', DISK_PROGRAM, '-append', steps],
  ];
}

/** What its steps print on a QEMU whose drive fails. */
export const faultyOnQemu = Object.assign(
  (image: string, steps: Parameters<typeof faultyOptions>[1]): OnQemu => {
    const words = [...faultyOptions(image, steps), '-serial', 'stdio'];
    const { stdout, stderr, status } = spawnSync('qemu-system-x86_64', words, { encoding: 'utf8', timeout: 60_000 });
    return { console: stdout, errors: stderr, status };
  },
  { options: faultyOptions },
);

/** What a program came to on QEMU. */
interface OnQemu {
  readonly console: string;
  readonly errors: string;
  readonly status: number | null;
}

/** What its steps print on QEMU, and the status it ends with. The image stays as it is. */
export function diskOnQemu(image: string, steps: string): OnQemu {
  const machine = ['-M', 'pc,accel=tcg', '-m', '16', '-nodefaults', '-display', 'none', '-serial', 'stdio', ...EXIT];
  const { stdout, stderr, status } = spawnSync(
    'qemu-system-x86_64',
    [
      ...machine,
      ...['-drive', `file=${image},if=none,id=d,format=raw,snapshot=on`],
      ...['-device', `virtio-blk-pci,drive=d,serial=${SERIAL}`, '-kernel', DISK_PROGRAM, '-append', steps],
    ],
    { encoding: 'utf8', timeout: 60_000 },
  );
  return { console: stdout, errors: stderr, status };
}

/** A folder's usual names. */
export const diskFiles = (folder: string, name = 'disk') => ({
  image: join(folder, `${name}.raw`),
  trace: join(folder, `${name}.trace`),
});
