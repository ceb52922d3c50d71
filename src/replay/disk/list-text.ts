import { SECTOR } from '../../base/units.ts';
import type { DriveConfig } from '../../vmm/config.ts';
import type { DriveState } from '../../vmm/state.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;

const sizeText = (bytes: number): string =>
  bytes < MIB ? `${bytes / KIB} KiB` : `${(bytes / MIB).toFixed(1).replace(/\.0$/, '')} MiB`;

/** What has been asked of a drive. */
export type Asked = Pick<DriveState, 'done' | 'failed' | 'bytesRead' | 'bytesWritten' | 'unflushed'>;

/** A machine's drives, and what was asked of each. */
export function listText(drives: readonly DriveConfig[], asked: Readonly<Record<string, Asked | undefined>>): string {
  if (drives.length === 0) return 'The machine of this run has no drive.';
  return drives.flatMap((drive) => [drive.id, ...driveLines(drive, asked[drive.id])].join('\n')).join('\n');
}

function driveLines(
  { sectors, readOnly, writeCache, noFlush, serial }: DriveConfig,
  asked: Asked | undefined,
): string[] {
  const how = [
    ...(readOnly ? ['read-only'] : []),
    writeCache ? 'write cache' : 'no write cache',
    ...(noFlush === true ? ['flushes ignored'] : []),
    ...(serial === '' ? [] : [`serial ${serial}`]),
  ];
  const shape = `  ${sectors} sectors, ${sizeText(sectors * SECTOR)}: ${how.join(', ')}`;
  if (asked === undefined) return [shape, '  nothing was asked of it'];
  const { done, failed, bytesRead, bytesWritten, unflushed } = asked;
  const requests = Object.entries(done).map(([op, count]) => `${count} ${op}`);
  return [
    shape,
    `  requests: ${requests.length === 0 ? 'none' : requests.join(', ')}${failed === 0 ? '' : `; ${failed} failed`}`,
    `  ${bytesRead} bytes read, ${bytesWritten} written; ${unflushed} writes not durable`,
  ];
}
