import { errnoName } from '../base/errno.ts';
import { fact, hex } from './schema.ts';

/** What happens to a machine's drives. Their contents are on record by digests: a run again has the bytes. */
export const DISK_FACTS = {
  /** A device asks something of a drive, by the device's own number of it. op: a `DiskOperation`. */
  'sim:disk_submitted': fact(
    { drive: 'text', dev: 'text', tag: 'u', op: 'text', offset: 'u', len: 'u', fua: 'bool', due: 'u' },
    (e) =>
      `drive ${e.drive} dev ${e.dev} tag ${e.tag} ${e.op} offset 0x${hex(e.offset)} len ${e.len}` +
      `${e.fua ? ' fua' : ''} due ${e.due} ns`,
  ),
  /** A drive with jitter takes longer for what is asked of it next, by a number of the stream `disk DRIVE`. */
  'sim:disk_delayed': fact({ drive: 'text', ns: 'u' }, (e) => `drive ${e.drive} by ${e.ns} ns`),
  /** A fault the drive was made with, counted from 0, makes a request fail. */
  'sim:disk_faulted': fact(
    { drive: 'text', dev: 'text', tag: 'u', fault: 'u', errno: 'u' },
    (e) => `drive ${e.drive} dev ${e.dev} tag ${e.tag} fault ${e.fault} ${errnoName(e.errno)}`,
  ),
  /** result: 0, or an errno as a negative number. What the device does about it comes after it. */
  'sim:disk_completed': fact(
    { drive: 'text', dev: 'text', tag: 'u', result: 'i' },
    (e) => `drive ${e.drive} dev ${e.dev} tag ${e.tag} result ${e.result}`,
  ),
  /** A request failed. action: what is done about it, `report`, `ignore` or `stop`. QEMU's event BLOCK_IO_ERROR. */
  'sim:disk_error': fact(
    {
      drive: 'text',
      dev: 'text',
      tag: 'u',
      op: 'text',
      offset: 'u',
      len: 'u',
      fua: 'bool',
      errno: 'u',
      action: 'text',
    },
    (e) =>
      `drive ${e.drive} dev ${e.dev} tag ${e.tag} ${e.op} offset 0x${hex(e.offset)} len ${e.len} ` +
      `${errnoName(e.errno)} action ${e.action}`,
  ),
  /** A request that waited to be asked again is forgotten: its device was reset. */
  'sim:disk_dropped': fact(
    { drive: 'text', dev: 'text', tag: 'u' },
    (e) => `drive ${e.drive} dev ${e.dev} tag ${e.tag}`,
  ),
  /** The drive holds other bytes from now on. Power loss may undo that, until they are made durable. */
  'sim:disk_written': fact(
    { drive: 'text', offset: 'u', len: 'u', digest: 'text' },
    (e) => `drive ${e.drive} offset 0x${hex(e.offset)} len ${e.len} digest ${e.digest}`,
  ),
  /** It has so many sectors of 512 bytes from now on. What was cut off is gone, what was added is zero. */
  'sim:disk_resized': fact({ drive: 'text', sectors: 'u' }, (e) => `drive ${e.drive} ${e.sectors} sectors`),
  /** It holds zeroes there. */
  'sim:disk_cleared': fact(
    { drive: 'text', offset: 'u', len: 'u' },
    (e) => `drive ${e.drive} offset 0x${hex(e.offset)} len ${e.len}`,
  ),
  /** All it holds is durable now; `changes`: how many it was written or cleared since the last time. */
  'sim:disk_flushed': fact({ drive: 'text', changes: 'u' }, (e) => `drive ${e.drive} changes ${e.changes}`),
} as const;
