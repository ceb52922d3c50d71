/** The boot sector of this folder on a disk of virtio, and what is compared of a run: mbr.s says what it does. */
import { readFileSync, writeFileSync } from 'node:fs';

export const MODES: Readonly<Record<string, string>> = {
  transitional: '',
  legacy: ',disable-modern=on',
  modern: ',disable-legacy=on',
};

/** Not a whole number of cylinders. */
const SECTORS = 0x2008;
const SECTOR = 512;

/** A disk with the boot sector, whose other sectors tell their numbers. */
export function writeDisk(path: string): void {
  const bytes = new Uint8Array(SECTORS * SECTOR);
  for (let sector = 0; sector < SECTORS; sector++) {
    const name = new TextEncoder().encode(`sector ${sector} `);
    for (let at = 0; at < SECTOR; at++) bytes[sector * SECTOR + at] = name[at % name.length]!;
  }
  bytes.set(readFileSync(new URL('mbr.bin', import.meta.url)));
  writeFileSync(path, bytes);
}

/** Kinds of events that are compared, all of virtio's. */
const KINDS: Readonly<Record<string, RegExp>> = {
  memory_region_ops_read: /addr 0x\w+ value 0x\w+ size \d/,
  memory_region_ops_write: /addr 0x\w+ value 0x\w+ size \d/,
  virtio_set_status: /val \d+/,
  virtio_queue_notify: /\bn \d+/,
  virtio_notify: /$/,
  virtio_notify_irqfd: /$/,
  virtqueue_pop: /in_num \d+ out_num \d+/,
  virtqueue_fill: /len \d+ idx \d+/,
  virtqueue_flush: /count \d+/,
  virtio_blk_handle_read: /sector \d+ nsectors \d+/,
  virtio_blk_handle_write: /sector \d+ nsectors \d+/,
  virtio_blk_rw_complete: /ret -?\d+/,
  virtio_blk_req_complete: /status \d+/,
};

/** More, that a capture of SeaBIOS alone has. */
const ALSO: Readonly<Record<string, RegExp>> = { pci_update_mappings_add: /[0-9a-f]{2}:[0-9a-f]{2}\.\d \S+$/ };

export const EVENTS = [...Object.keys(KINDS), ...Object.keys(ALSO)];

/**
 * Events as both print them, without what is a process's own: pointers and numbers of elements. QEMU resets a device
 * more often before anybody looks at it: what comes first is the first access to its registers.
 */
export function virtioLines(text: string): string[] {
  const lines = text.split('\n').flatMap((line) => {
    const kind = /\b(?:memory_region_ops|virtio|virtqueue)_\w+/.exec(line)?.[0] ?? '';
    const said = KINDS[kind]?.exec(line)?.[0];
    const isOthers = kind.startsWith('memory_region_ops') && !line.includes("name 'virtio-pci");
    return said === undefined || isOthers ? [] : [`${kind} ${said}`.trim()];
  });
  return lines.slice(lines.findIndex((line) => line.startsWith('memory_region_ops')));
}

/**
 * Until a device has answered its first request: where BARs come to lie, what the status changes to, and the request.
 * What tells of QEMU's memory and threads (virtqueue_alloc_element, virtio_blk_data_plane_*) is left out.
 */
export function firstRequest(text: string): string[] {
  const known = { ...KINDS, ...ALSO };
  let status = 'val 0';
  const lines = text.split('\n').flatMap((line) => {
    const kind = /\b(?:pci_update|virtio|virtqueue)_\w+/.exec(line)?.[0] ?? '';
    const said = known[kind]?.exec(line)?.[0];
    if (said === undefined || (kind === 'virtio_set_status' && said === status)) return [];
    if (kind === 'virtio_set_status') status = said;
    return [`${kind} ${said}`];
  });
  return lines.slice(0, 1 + lines.findIndex((line) => line.startsWith('virtqueue_flush')));
}

/** Lines of SeaBIOS' log that are not compared: the recording is of a QEMU that has no KVM. */
const OF_KVM: readonly (readonly [why: string, line: RegExp])[] = [
  ['KVM tells that it is there, and brings a clock of its own', /^Running on KVM|^kvmclock|^CPU Mhz=|^Using pmtimer/],
  ['KVM keeps three pages for itself; QEMU leaves those out that AMD processors do not reach', /feffc000|fd00000000/],
];

/** Addresses of what SeaBIOS puts behind the clock's page, and the numbers of lines behind one that is left out. */
export const logLines = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => !OF_KVM.some(([, pattern]) => pattern.test(line)))
    .map((line) => line.replace(/^ {2}\d: |(?<=^drive )0x\w+|(?<=^Copying MPTABLE from )\S+/, ''));
