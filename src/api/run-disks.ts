import { SECTOR } from '../base/units.ts';
import { finish } from '../base/work.ts';
import { changesOf } from '../debugger/history/disk-changes.ts';
import { writeDiskImage } from '../host/disk-image.ts';
import { NODE } from '../host/node.ts';
import type { SparseBytes } from '../memory/sparse.ts';
import { crashAt } from '../replay/disk/crash.ts';
import { differingSectors, readBytes, type SectorRange } from '../replay/disk/difference.ts';
import { contentAt } from '../replay/disk/drive-contents.ts';
import type { ChangeTold } from '../replay/disk/drive-events.ts';
import { driveNamed, sectorsNamed } from '../replay/disk/drives.ts';
import { markOf } from '../replay/places.ts';
import type { Mark } from '../replay/timeline.ts';
import type { EventMark } from '../runs/moment.ts';
import { openRecordedRun, openTimeline, type RunAccess } from '../runs/recorded/recorded-run.ts';
import type { DriveConfig } from '../vmm/config.ts';

/** Just after an event, or a place as the debugger reads it: `end`, `25%`, `#57`, `kvm_exit CPUID`. */
export type DiskPlace = EventMark | string;

/** What a drive holds at a moment. It stays so whatever else is asked. */
export interface DiskContent {
  readonly sectors: number;
  /** Bytes of `count` sectors of 512. */
  read(sector: number, count?: number): Uint8Array;
  /** Write it as a raw image with holes, whole or not at all. Throws a Problem where none may lie. */
  save(path: string): void;
}

/** A drive whose power failed: see `retrovisor disk crash`. */
export interface CrashedDisk {
  readonly content: DiskContent;
  /** What it would hold if nothing had been lost. */
  readonly without: DiskContent;
  /** Of the writes that were not durable, how many survived, are lost, or survived in some of their sectors. */
  readonly kept: number;
  readonly lost: number;
  readonly torn: number;
}

/** The drives of a recorded run, at any moment of it. A drive need not be named where there is one. */
export interface RunDisks {
  readonly drives: readonly DriveConfig[];
  at(place: DiskPlace, drive?: string): DiskContent;
  /** Sectors that differ between two moments. */
  difference(from: DiskPlace, to: DiskPlace, drive?: string): readonly SectorRange[];
  /** Every change of some sectors over the run, with its request and the flush that made it durable. */
  history(sector: number, count?: number, drive?: string): readonly ChangeTold[];
  crash(place: DiskPlace, seed: string, drive?: string): CrashedDisk;
  /** Close the files. Nothing can be asked any more. */
  close(): void;
}

/** Open the drives of a trace. Throws a Problem when it is none, or its images are missing. */
export function openDisks(path: string, access: RunAccess = {}): RunDisks {
  const run = openRecordedRun(NODE, path, access);
  const recorded = openTimeline(run);
  const { timeline, events } = recorded;
  const drives = run.description.drives ?? [];
  const kept = [path, ...(run.disks?.files ?? []).map(({ name }) => name)];
  const markAt = (place: DiskPlace): Mark | number =>
    typeof place === 'string'
      ? finish(markOf(place, { events, pace: run.description }, timeline.now))
      : { seq: place.seq + 1, tick: place.tick };
  const bytesAt = (place: DiskPlace, id: string | undefined): SparseBytes =>
    finish(contentAt(timeline, driveNamed(drives, id).id, markAt(place)));
  const shown = (content: SparseBytes): DiskContent => ({
    sectors: content.size / SECTOR,
    read: (sector, count = 1) => readBytes(content, sector * SECTOR, count * SECTOR),
    save: (to) => finish(writeDiskImage(to, content, kept)),
  });
  return {
    drives,
    at: (place, id) => shown(bytesAt(place, id)),
    difference: (from, to, id) => finish(differingSectors(bytesAt(from, id), bytesAt(to, id))),
    history: (sector, count = 1, id) => finish(changesOf(events, sectorsNamed(drives, `${sector}+${count}`, id))),
    crash(place, seed, id) {
      const crash = finish(crashAt(recorded, driveNamed(drives, id).id, markAt(place), seed));
      return { ...crash, content: shown(crash.content), without: shown(crash.without) };
    },
    close: recorded.close,
  };
}
