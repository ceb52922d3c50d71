/** What facts do to the drives. The bytes they hold are bulk: whoever raises the facts moves them. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import type { DiskOperation } from '../../devices/device.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import type { DriveConfig, MachineConfig } from '../config.ts';
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
  release(driveOf(vmm, drive), event);
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

/** Who asked, and the device's number of it. */
interface Named {
  readonly dev: string;
  readonly tag: number;
}

/** A request waits no longer to be asked again. */
function release(drive: Draft<DriveState>, { dev, tag }: Named): void {
  if (drive.held === undefined) return;
  drive.held = drive.held.filter((each) => each.dev !== dev || each.tag !== tag);
  if (drive.held.length === 0) delete drive.held;
}

/** sim:disk_faulted. */
export function faulted(vmm: Vmm, event: EventOf<'sim:disk_faulted'>, { drives = [] }: MachineConfig): void {
  const { faults = [] } = drives.find(({ id }) => id === event.drive) ?? {};
  if (faults[event.fault]?.once === true) (driveOf(vmm, event.drive).spent ??= []).push(event.fault);
}

/** sim:disk_error. */
export function failed(vmm: Vmm, event: EventOf<'sim:disk_error'>): void {
  if (event.action !== 'stop') return;
  const { drive, dev, tag, op, offset, len: length, fua, errno } = event;
  (driveOf(vmm, drive).held ??= []).push({ dev, tag, op: op as DiskOperation, offset, length, fua, errno });
}

/** sim:disk_dropped. */
export function dropped(vmm: Vmm, event: EventOf<'sim:disk_dropped'>): void {
  release(driveOf(vmm, event.drive), event);
}

/** sim:disk_resized. */
export function resized(vmm: Vmm, event: EventOf<'sim:disk_resized'>, { drives = [] }: MachineConfig): void {
  const drive = driveOf(vmm, event.drive);
  const shown = drive.size?.shown ?? drives.find(({ id }) => id === event.drive)?.sectors ?? 0;
  drive.size = { sectors: event.sectors, shown: Math.min(shown, event.sectors) };
}

/** sim:disk_written, sim:disk_cleared. */
export function changed(vmm: Vmm, { drive }: { readonly drive: string }): void {
  driveOf(vmm, drive).unflushed += 1;
}

/** sim:disk_flushed. */
export function flushed(vmm: Vmm, { drive }: EventOf<'sim:disk_flushed'>): void {
  driveOf(vmm, drive).unflushed = 0;
}
