/** `-drive ...,error=EIO,sector=8,at=2s`: requests that are to fail. Each `error=` begins a fault of its own. */
import { SECTOR } from '../base/units.ts';
import { ERRNO_NAMES, errnoNamed } from '../base/errno.ts';
import { DISK_OPERATIONS, type DiskOperation } from '../devices/device.ts';
import type { DriveFault } from '../vmm/config.ts';
import { MOST } from '../vmm/limits.ts';
import { type CommaValue, onOrOff, virtualTime, wholeNumber } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** What belongs to the `error=` before it. */
const OF_A_FAULT = ['op', 'sector', 'at', 'once'];

/** All properties that have to do with faults. */
export const FAULT_KEYS = ['error', ...OF_A_FAULT];

/** The latest moment that can be named. */
const LATEST = Number.MAX_SAFE_INTEGER;

/** The faults a drive is asked to have, in order. Throws a UsageProblem. */
export function faultsOf(option: string, { pairs }: CommaValue): readonly DriveFault[] {
  const faults: DriveFault[] = [];
  for (const [key, value] of pairs) {
    if (key === 'error') faults.push({ errno: errnoOf(option, value), once: false });
    else if (OF_A_FAULT.includes(key)) {
      const last = faults.pop();
      if (last === undefined) throw new UsageProblem(`${option}: ${key}= is of a fault: write error=EIO before it.`);
      faults.push({ ...last, ...partOf(option, key, value) });
    }
  }
  if (faults.length > MOST.faults) throw new UsageProblem(`${option}: a drive has at most ${MOST.faults} faults.`);
  for (const { op, sectors } of faults) {
    if (op === 'flush' && sectors !== undefined) throw new UsageProblem(`${option}: a flush is of no sector.`);
  }
  return faults;
}

function errnoOf(option: string, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : errnoNamed(text);
  if (number !== undefined && number >= 1 && number <= MOST.errno) return number;
  throw new UsageProblem(`${option}: error is ${ERRNO_NAMES.join(', ')} or their number, not '${text}'.`);
}

function partOf(option: string, key: string, text: string): Partial<DriveFault> {
  switch (key) {
    case 'op':
      return { op: operationOf(option, text) };
    case 'sector':
      return { sectors: sectorsOf(option, text) };
    case 'at':
      return { at: virtualTime(`${option}: at`, text, LATEST) };
    default:
      return { once: onOrOff(option, key, text) };
  }
}

function operationOf(option: string, text: string): DiskOperation {
  const op = DISK_OPERATIONS.find((name) => name === text);
  if (op !== undefined) return op;
  throw new UsageProblem(`${option}: op is ${DISK_OPERATIONS.join(', ')}, not '${text}'.`);
}

function sectorsOf(option: string, text: string): { readonly first: number; readonly count: number } {
  const most = MOST.driveBytes / SECTOR;
  const [first = '', count = '1', ...more] = text.split('+');
  if (more.length > 0) throw new UsageProblem(`${option}: sector is SECTOR or SECTOR+COUNT, not '${text}'.`);
  const name = `${option}: sector`;
  return { first: wholeNumber(name, first, 0, most - 1), count: wholeNumber(name, count, 1, most) };
}
