/** Drives as people name them. */
import { SECTOR } from '../../base/units.ts';
import { orNearest } from '../../base/nearest.ts';
import { Problem, shortly } from '../../base/problem.ts';
import type { DriveConfig } from '../../vmm/config.ts';
import type { Extent } from './drive-events.ts';

/** The drive somebody means: the machine's only one, if none is named. */
export function driveNamed(drives: readonly DriveConfig[] = [], id?: string): DriveConfig {
  const all = drives.map((drive) => drive.id);
  if (all.length === 0) throw new Problem('The machine of this run has no drive.');
  const [only] = drives;
  if (id === undefined && all.length === 1) return only!;
  if (id === undefined) throw new Problem(`Say which drive: --drive with one of ${all.join(', ')}.`);
  const found = drives.find((drive) => drive.id === id);
  if (found === undefined) throw new Problem(`There is no drive ${shortly(id)}${orNearest(id, all)}`);
  return found;
}

/** Sectors of a drive. */
export interface SectorsNamed extends Extent {
  readonly drive: DriveConfig;
}

const WORDS = /^(?:([^\s:]+):)?(0x[0-9a-f]{1,12}|\d{1,15})(?:\s*\+\s*(\d{1,15}))?$/i;

/** `SECTOR`, `SECTOR+COUNT`, and the same of a drive: `ID:SECTOR`. */
export function sectorsNamed(drives: readonly DriveConfig[] | undefined, words: string, id?: string): SectorsNamed {
  const [, named, first, more = '1'] = WORDS.exec(words.trim()) ?? [];
  if (first === undefined) throw new Problem(`Say which sector: a number, or SECTOR+COUNT, not '${shortly(words)}'.`);
  const drive = driveNamed(drives, named ?? id);
  const [sector, count] = [Number(first), Number(more)];
  if (count < 1 || count > drive.sectors - sector) {
    throw new Problem(`Drive ${drive.id} has sectors 0 to ${drive.sectors - 1}: ${shortly(words)} lies beyond.`);
  }
  return { drive, offset: sector * SECTOR, length: count * SECTOR };
}

/** Bytes as their sectors: `8`, `8 to 11`. */
export function sectorsText({ offset, length }: Extent): string {
  const [first, last] = [Math.floor(offset / SECTOR), Math.floor((offset + length - 1) / SECTOR)];
  return last <= first ? `sector ${first}` : `sectors ${first} to ${last}`;
}
