import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { firstOfLongest, LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const trace = join(folder, 'ipxe.trace');

/** QEMU 7.2 traced that of the same ROM with `-netdev user`: golden/qemu72_tcg_ipxe_virtio_net.trace. */
const captured = readFileSync(new URL('recorded/ipxe-virtio-net.txt', import.meta.url), 'utf8').split('\n');

const RING = /\b(virtqueue_pop|virtqueue_fill|virtqueue_flush):? .*?((?:in_num|len|count) .*)/;
const STATUS = /\bvirtio_set_status:? .*val (\d+)/;

/** Rings and what they carry, and values of the status: without pointers, and without where a chain begins. */
const ringLines = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const [, kind, fields] = RING.exec(line) ?? [];
    return kind === undefined ? [] : [`${kind} ${fields!.replace(/ head \d+$/, '')}`];
  });

/** A status that is set again is set once: QEMU traces a reset as often as it is one of several things. */
const statusLines = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => STATUS.exec(line)?.[1] ?? []).filter((value, at, all) => value !== all[at - 1]);

describe('iPXE over virtio-net', {
  ...without(noGuests('bios-256k.bin', 'kvmvapic.bin', 'efi-virtio.rom')),
  ...LONG,
}, () => {
  const properties = `mac=52:54:00:12:34:56,romfile=${guestFile('efi-virtio.rom')}`;
  const run = (more: string): string[] => {
    retrovisor([
      ...['run', '-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin'), '-m', '64'],
      ...['-nodefaults', '-serial', 'stdio', '-boot', 'n', '-netdev', 'user,id=n0'],
      ...['-device', `virtio-net-pci,netdev=n0,${properties}${more}`, '--trace', trace, '--power-loss', '60s'],
    ]);
    const kinds = 'virtio_set_status,virtqueue_pop,virtqueue_fill,virtqueue_flush';
    return retrovisor(['events', trace, '--event', kinds]).out.split('\n');
  };

  const MODES = [
    ['transitional', ''],
    ['modern', ',disable-legacy=on'],
  ] as const;

  test.each(firstOfLongest(1, MODES))('obtains a lease, and its rings go as they do on QEMU: %s', (_mode, more) => {
    const ours = run(more);
    expect(ringLines(captured).length).toBe(27);
    expect(ringLines(ours)).toEqual(ringLines(captured));
    expect(statusLines(ours)).toEqual(statusLines(captured));
  });
});
