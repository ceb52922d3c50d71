/** Linux finds a disk and a source of entropy of virtio: what it does and sees, of a machine of QEMU's and of ours. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { expect } from 'vitest';

/** A line that is not compared, and why. */
interface Exclusion {
  readonly why: string;
  readonly line: RegExp;
}

const CONSOLE: readonly Exclusion[] = [
  { why: 'SeaBIOS turned system management mode on, which this KVM has not', line: /^70: 00 00 (0a|02) 00 00/ },
  { why: "QEMU's option ROM that starts a kernel is larger than ours", line: / : Video ROM$/ },
  { why: 'KVM keeps three pages for itself', line: /^feffc000-feffffff : Reserved$/ },
  { why: 'QEMU leaves out what AMD processors do not reach', line: /^fd00000000-ffffffffff : Reserved$/ },
];

const ACCESSES: readonly Exclusion[] = [
  {
    why: 'SeaBIOS turns system management mode on, which this KVM has not',
    line: /^pci_cfg_\w+ 00:(00\.0 @0x7[02]|01\.3 @0x58) /,
  },
  {
    why: "rings lie where the kernel found memory, which depends on what it had to do with its processor's features",
    line: /^memory_region_ops_write addr 0x\w+(20|28|30) value 0x[1-9a-f]\w+ size 4 name 'common'$/,
  },
  {
    why: 'the same of a queue by its legacy register: a page frame',
    line: /^memory_region_ops_write addr 0x\w+8 value 0x[1-9a-f]\w+ size 4 name 'legacy'$/,
  },
];

/** What a guest printed, and what its devices were asked and did. */
export interface Seen {
  readonly console: string;
  readonly events: string;
}

/** What both say of a guest, without what is excluded. */
export interface Lines {
  readonly lines: readonly string[];
  readonly excluded: number;
}

function compared(lines: readonly string[], exclusions: readonly Exclusion[]): Lines {
  const left = lines.filter((text) => !exclusions.some(({ line }) => line.test(text)));
  return { lines: left, excluded: lines.length - left.length };
}

/** How often other interrupts than the disk's came is a matter of time: a thread of the kernel asks for entropy. */
const counts = (line: string): string =>
  line.includes('virtio0') ? line : line.replace(/^( *\w+:)(?: {2,}\d+)+/, '$1');

/** What the guest saw: its console from the first heading to the last. */
export function consoleLines(text: string): Lines {
  const lines = text.replaceAll('\r', '').split('\n').map(counts);
  const first = lines.findIndex((line) => line.startsWith('=== '));
  return compared(lines.slice(first, lines.indexOf('=== done')), CONSOLE);
}

/** Kinds of events that are the processor's accesses, and those of the devices' work. */
export const ACCESS = ['pci_cfg_read', 'pci_cfg_write', 'memory_region_ops_read', 'memory_region_ops_write'];
const WORK = [
  ...['virtqueue_pop', 'virtqueue_fill', 'virtqueue_flush', 'virtio_notify', 'virtio_notify_irqfd'],
  ...['virtio_blk_handle_read', 'virtio_blk_handle_write', 'virtio_blk_rw_complete', 'virtio_blk_req_complete'],
];
export const EVENTS = [...ACCESS, ...WORK];

const LINE = new RegExp(`\\b(${EVENTS.join('|')}):? ?(.*)$`);

/** Both print an event's kind and fields, each behind what is its own. */
const told = (text: string): string[][] =>
  text.split('\n').flatMap((line) => {
    const [, kind = '', rest = ''] = LINE.exec(line) ?? [];
    return kind === '' ? [] : [[kind, rest]];
  });

/**
 * Accesses to PCI configuration, to registers of virtio and to tables of MSI-X, in their order: a function by its
 * place and a region by its part, as either has names of its own.
 */
export function accessLines(text: string): Lines {
  const lines = told(text).flatMap(([kind = '', rest = '']) => {
    if (kind.startsWith('pci_cfg')) return [`${kind} ${rest.replace(/^.* (?=[0-9a-f]{2}:[0-9a-f]{2}\.\d )/, '')}`];
    const [, access, part] = /(addr .*) name '(?:virtio-pci-?)?([a-z-]*?)(?:-virtio-\w+)?'$/.exec(rest) ?? [];
    const isMeant = rest.includes("name 'virtio-pci") || rest.includes("name 'msix-");
    return kind.startsWith('memory_region') && isMeant ? [`${kind} ${access} name '${part || 'legacy'}'`] : [];
  });
  return compared(lines, ACCESSES);
}

/**
 * What the devices did, without pointers and numbers of elements: the disk in its order, and each thing the source of
 * entropy did once. A buffer is in as many segments as the pages the guest had for it.
 */
export function workLines(text: string): Lines {
  const work = told(text).filter(([kind = '']) => WORK.includes(kind));
  const isOfDisk = partOfDisk(work);
  const fields = /\b(?:len|count|sector|nsectors|ret|status) -?\d+/g;
  const lineOf = ([kind = '', rest = '']: readonly string[]): string => [kind, ...(rest.match(fields) ?? [])].join(' ');
  const others = new Set(work.filter((each) => !isOfDisk(each)).map(lineOf));
  return compared([...work.filter(isOfDisk).map(lineOf), ...others], []);
}

/** Some of QEMU's events name a device, some a queue, and some both. */
function partOfDisk(work: readonly (readonly string[])[]): (event: readonly string[]) => boolean {
  const named = (rest: string, what: 'vdev' | 'vq'): string | undefined =>
    new RegExp(`\\b${what} (\\S+)`).exec(rest)?.[1];
  const disk = named(work.find(([kind = '']) => kind.startsWith('virtio_blk'))?.[1] ?? '', 'vdev');
  const queues = new Set(work.flatMap(([, rest = '']) => (named(rest, 'vdev') === disk ? [named(rest, 'vq')] : [])));
  return ([, rest = '']) => {
    const device = named(rest, 'vdev');
    return device === undefined ? queues.has(named(rest, 'vq')) : device === disk;
  };
}

/** The first line that differs, with those before it, and how many there are to compare. */
export function expectSame(ours: Lines, theirs: Lines, least: number): void {
  const first = theirs.lines.findIndex((line, at) => line !== ours.lines[at]);
  const around = ({ lines }: Lines): readonly string[] => lines.slice(Math.max(0, first - 3), first + 3);
  expect(around(ours)).toEqual(around(theirs));
  expect(ours.lines).toHaveLength(theirs.lines.length);
  expect(theirs.lines.length).toBeGreaterThan(least);
}

const MIB = 2 ** 20;
const SECTOR = 512;

/** A disk of 64 MiB: zeroes, and from 2 MiB on for a while sectors that tell their numbers. */
export function writeProbedDisk(path: string): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, 64 * MIB);
  for (let at = (2 * MIB) / SECTOR; at < (4 * MIB) / SECTOR; at += 1) {
    writeSync(file, `sector ${at} `.repeat(SECTOR).slice(0, SECTOR), at * SECTOR);
  }
  closeSync(file);
}
