/** Pages that were found written while QEMU had them logged, and its measurement of them. */
import { pagesOf } from '../../memory/page-bits.ts';
import type { Gfn } from '../../base/units.ts';
import type { DirtyState, Writer } from '../../vmm/dirty/state.ts';
import { countOf, viewOf } from './view.ts';

/** What `info dirty_rate` of QEMU 7.2 tells. */
interface RateSeen extends Pick<DirtyState, 'status' | 'seconds' | 'rate'> {
  readonly isAsked: boolean;
  /** Whole seconds since power-on; QEMU calls them milliseconds. */
  readonly start: number;
}

const NS_PER_SECOND = 1_000_000_000;
/** What QEMU has by default of a way to measure that is not used. */
const SAMPLES = 512;

const NEVER: RateSeen = { status: 'unstarted', seconds: 0, rate: -1, isAsked: false, start: 0 };

function rateSeen(dirty: DirtyState | undefined): RateSeen {
  if (dirty === undefined) return NEVER;
  const { status, seconds, rate, start } = dirty;
  return { status, seconds, rate, isAsked: true, start: Math.floor(start / NS_PER_SECOND) };
}

/** hmp_info_dirty_rate. */
const rateText = ({ status, seconds, rate, isAsked, start }: RateSeen): string =>
  [
    `Status: ${status}`,
    `Start Time: ${start} (ms)`,
    `Sample Pages: ${isAsked && status !== 'measured' ? SAMPLES : 0} (per GB)`,
    `Period: ${seconds} (sec)`,
    `Mode: ${isAsked ? 'dirty-bitmap' : 'page-sampling'}`,
    `Dirty rate: ${status === 'measured' ? `${rate} (MB/s)` : '(not ready)'}`,
  ].join('\n');

export const DIRTY_RATE = viewOf({
  usage: 'dirtyrate',
  help: 'the last measurement of `calc_dirty_rate`, as QEMU tells of it',
  also: ['info dirty_rate'],
  look: ({ view }) => rateSeen(view.machine.state.vmm.dirty),
  print: rateText,
});

interface DirtySeen {
  readonly isAsked: boolean;
  readonly tracking: boolean;
  readonly status: DirtyState['status'];
  /** Guest frames, by who wrote them. */
  readonly pages: Readonly<Record<Writer, readonly Gfn[]>>;
  /** How many ranges of them are shown of each. */
  readonly ranges: number;
}

/** Ranges that are shown of each writer, unless more are asked for. */
const RANGES = 32;

const NOBODY: DirtySeen['pages'] = { kvm: [], qemu: [], vhost: [] };

function dirtySeen(dirty: DirtyState | undefined, words: string): DirtySeen {
  const ranges = countOf(words, RANGES);
  if (dirty === undefined) return { isAsked: false, tracking: false, status: 'unstarted', pages: NOBODY, ranges };
  const { kvm, qemu, vhost } = dirty.pages;
  const pages = { kvm: pagesOf(kvm), qemu: pagesOf(qemu), vhost: pagesOf(vhost) };
  return { isAsked: true, tracking: dirty.tracking !== 0, status: dirty.status, pages, ranges };
}

const BY: Readonly<Record<Writer, string>> = {
  kvm: "KVM's log of the processors",
  qemu: "QEMU's own devices",
  vhost: 'logs of vhost workers',
};

const hex = (page: Gfn): string => `0x${(page * 4096).toString(16)}`;

const many = (count: number): string => `${count} page${count === 1 ? '' : 's'}`;

/** Pages side by side are one range. */
function rangesOf(pages: readonly Gfn[], most: number): string[] {
  const starts = pages.filter((page, at) => at === 0 || pages[at - 1] !== page - 1);
  const ends = pages.filter((page, at) => at === pages.length - 1 || pages[at + 1] !== page + 1);
  const shown = starts.slice(0, most);
  const lines = shown.map((start, at) => `    ${hex(start)}-${hex(ends[at]! + 1)} ${many(ends[at]! - start + 1)}`);
  return starts.length > most ? [...lines, `    and ${starts.length - most} more ranges`] : lines;
}

function dirtyText(seen: DirtySeen): string {
  if (!seen.isAsked) return 'Nobody has asked which pages are written: `calc_dirty_rate -b SECONDS` does.';
  const lines = Object.entries(seen.pages).flatMap(([by, pages]) => [
    `${BY[by as Writer]}: ${many(pages.length)}`,
    ...rangesOf(pages, seen.ranges),
  ]);
  return [`Memory is ${seen.tracking ? '' : 'not '}logged (${seen.status})`, ...lines].join('\n');
}

export const DIRTY_PAGES = viewOf({
  usage: 'dirty [RANGES]',
  help: 'pages found written by the last `calc_dirty_rate`: by processors, devices of QEMU, vhost',
  look: ({ view }, words) => dirtySeen(view.machine.state.vmm.dirty, words),
  print: dirtyText,
});
