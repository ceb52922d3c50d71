/** What facts do to the drives. The bytes they hold are bulk: whoever raises the facts moves them. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { DiskOperation } from '../../devices/device.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { DriveConfig } from '../config.ts';
import type { DriveState, VmmState } from '../state.ts';

type Vmm = Draft<VmmState>;

/** Drives of a machine nobody has switched on. */
export const drivesAtPowerOn = (drives: readonly DriveConfig[] = []): Readonly<Record<string, DriveState>> =>
  Object.fromEntries(drives.map(({ id }) => [id, newDrive()]));

/** A state is changed in place: each drive has its own. */
const newDrive = (): DriveState => ({
  inFlight: [],
  done: {},
  failed: 0,
  bytesRead: 0,
  bytesWritten: 0,
  unflushed: 0,
});

function driveOf({ drives }: Vmm, id: string): Draft<DriveState> {
  const drive = Object.hasOwn(drives, id) ? drives[id] : undefined;
  invariant(drive !== undefined, 'the machine has this drive', { id });
  return drive;
}

/** sim:disk_submitted. */
export function submitted(vmm: Vmm, event: EventOf<'sim:disk_submitted'>, { seq }: Stamped): void {
  const { drive, dev, tag, op, offset, len: length, fua, due } = event;
  const { inFlight } = driveOf(vmm, drive);
  const later = inFlight.findIndex((other) => other.due > due);
  const request = { dev, tag, op: op as DiskOperation, offset, length, fua, due, submitted: seq };
  inFlight.splice(later < 0 ? inFlight.length : later, 0, request);
}

/** sim:disk_completed. */
export function completed(vmm: Vmm, event: EventOf<'sim:disk_completed'>): void {
  const drive = driveOf(vmm, event.drive);
  const at = drive.inFlight.findIndex(({ dev, tag }) => dev === event.dev && tag === event.tag);
  const [request] = at < 0 ? [] : drive.inFlight.splice(at, 1);
  invariant(request !== undefined, 'what completes was in flight', { drive: event.drive, tag: event.tag });
  const { op, length } = request;
  drive.done[op] = (drive.done[op] ?? 0) + 1;
  if (event.result !== 0) drive.failed += 1;
  else if (op === 'read') drive.bytesRead += length;
  else if (op === 'write') drive.bytesWritten += length;
}

/** sim:disk_written, sim:disk_cleared. */
export function changed(vmm: Vmm, { drive }: { readonly drive: string }): void {
  driveOf(vmm, drive).unflushed += 1;
}

/** sim:disk_flushed. */
export function flushed(vmm: Vmm, { drive }: EventOf<'sim:disk_flushed'>): void {
  driveOf(vmm, drive).unflushed = 0;
}
