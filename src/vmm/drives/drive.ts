import { type Base, SparseBytes } from '../../memory/sparse.ts';
import type { DriveConfig } from '../config.ts';

/** Bytes of a sector. */
export const SECTOR = 512;

/** A drive of a machine: what it is, and the bytes it holds. */
export interface Drive {
  readonly info: DriveConfig;
  readonly bytes: SparseBytes;
}

/** A machine's drives, each with what it held before anything was written. */
export function drivesOf(
  drives: readonly DriveConfig[] = [],
  disks: ReadonlyMap<string, Base> = new Map(),
): ReadonlyMap<string, Drive> {
  return new Map(
    drives.map((info): [string, Drive] => {
      const bytes = new SparseBytes(`drive ${info.id}`, info.sectors * SECTOR, disks.get(info.id) ?? ZEROES);
      return [info.id, { info, bytes }];
    }),
  );
}

const ZEROES: Base = { read: (_at, into) => void into.fill(0) };
