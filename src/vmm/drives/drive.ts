import { SECTOR } from '../../base/units.ts';
import { invariant } from '../../base/invariant.ts';
import { type Base, SparseBytes } from '../../memory/sparse.ts';
import type { DriveConfig } from '../config.ts';
import type { VmmState } from '../state.ts';

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

/** A machine, as far as it has drives. */
interface HasDrives {
  readonly board: { readonly drives: ReadonlyMap<string, Drive> };
}

/** A drive of the machine, which a device has made sure of. */
export function driveOf({ board }: HasDrives, id: string): Drive {
  const drive = board.drives.get(id);
  invariant(drive !== undefined, 'a device asks drives of its machine', { id });
  return drive;
}

/** How large a drive is now, as a guest sees it. */
export const sectorsOf = ({ drives }: Pick<VmmState, 'drives'>, { id, sectors }: DriveConfig): number =>
  drives[id]?.size?.sectors ?? sectors;

/** Drives are as large as another state has them. */
export function shapeDrives(drives: ReadonlyMap<string, Drive>, state: Pick<VmmState, 'drives'>): void {
  for (const { info, bytes } of drives.values()) {
    const { sectors, shown } = state.drives[info.id]?.size ?? { sectors: info.sectors, shown: info.sectors };
    bytes.reshape(sectors * SECTOR, shown * SECTOR);
  }
}
