import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answerMonitor } from '../../../src/cli/monitor.ts';
import { NODE } from '../../../src/host/node.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { openSession } from '../../../src/runs/underway/open-session.ts';
import type { Session, SessionPause } from '../../../src/runs/underway/session.ts';
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

/** A run that somebody attends: it comes to rest, is asked, and goes on. */
export interface Attended {
  readonly session: Session;
  /** Run until it ends, idles for good, or the guest has printed so. */
  toRest(printed?: string): SessionPause;
  ask(line: string): string;
  /** What the guest has printed. */
  printed(): string;
}

export function attend(options: readonly string[]): Attended {
  const out: Uint8Array[] = [];
  const output = { serial: (_line: number, bytes: Uint8Array) => void out.push(bytes), character: () => undefined };
  const session = openSession(NODE, runOptions(options), output);
  const printed = (): string => Buffer.concat(out).toString('latin1');
  return {
    session,
    printed,
    toRest(wanted) {
      for (;;) {
        const pause = session.run(SLICE_MS, false);
        if (pause.pause !== 'slice' || (wanted !== undefined && printed().includes(wanted))) return pause;
      }
    },
    ask(line) {
      const { text, send } = answerMonitor(session, line);
      if (send !== undefined) session.send(send);
      return text;
    },
  };
}

const SLICE_MS = 1;

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
