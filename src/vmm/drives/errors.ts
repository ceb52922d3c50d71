/** Requests that fail: faults a drive was made with, and what is done about it. QEMU 7.2: block/block-backend.c. */
import { SECTOR } from '../../base/units.ts';
import { ENOSPC } from '../../base/errno.ts';
import type { DiskRequest, ErrorAction, ErrorPolicy } from '../../devices/device.ts';
import type { Machine, Part } from '../board/machine.ts';
import type { DriveFault } from '../config.ts';
import { driveOf } from './drive.ts';

/** Nothing happens any more. */
export const isStopped = ({ state }: Machine): boolean => state.stopped !== undefined;

/** The first fault a request meets, and which of its drive's it is; undefined: none. */
export function faultFor(
  machine: Machine,
  request: DiskRequest,
): { readonly at: number; readonly errno: number } | undefined {
  const { faults = [] } = driveOf(machine, request.drive).info;
  const spent = machine.state.drives[request.drive]?.spent ?? [];
  const at = faults.findIndex((fault, index) => !spent.includes(index) && meets(request, fault, machine.now()));
  return at < 0 ? undefined : { at, errno: faults[at]!.errno };
}

function meets({ op, offset, length }: DiskRequest, fault: DriveFault, now: number): boolean {
  if (now < (fault.at ?? 0) || (fault.op ?? op) !== op) return false;
  if (fault.sectors === undefined) return true;
  const { first, count } = fault.sectors;
  return offset < (first + count) * SECTOR && offset + length > first * SECTOR;
}

/** What is done about a request that failed, once that is on record: blk_get_error_action, blk_error_action. */
export function actUpon(
  machine: Machine,
  { name: dev }: Part,
  request: DiskRequest,
  errno: number,
  policy: ErrorPolicy | undefined,
): ErrorAction {
  const { drive, tag, op, offset, length: len, fua = false } = request;
  const { rerror = 'report', werror = 'enospc' } = driveOf(machine, drive).info;
  const action = actionOf(policy ?? (op === 'read' ? rerror : werror), errno);
  machine.raise({ kind: 'sim:disk_error', drive, dev, tag, op, offset, len, fua, errno, action });
  if (action === 'stop' && !isStopped(machine)) machine.raise({ kind: 'sim:machine_stopped', why: 'io-error', drive });
  return action;
}

function actionOf(policy: ErrorPolicy, errno: number): ErrorAction {
  if (policy !== 'enospc') return policy;
  return errno === ENOSPC ? 'stop' : 'report';
}
