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
  /** result: 0, or an errno as a negative number. What the device does about it comes after it. */
  'sim:disk_completed': fact(
    { drive: 'text', dev: 'text', tag: 'u', result: 'i' },
    (e) => `drive ${e.drive} dev ${e.dev} tag ${e.tag} result ${e.result}`,
  ),
  /** The drive holds other bytes from now on. Power loss may undo that, until they are made durable. */
  'sim:disk_written': fact(
    { drive: 'text', offset: 'u', len: 'u', digest: 'text' },
    (e) => `drive ${e.drive} offset 0x${hex(e.offset)} len ${e.len} digest ${e.digest}`,
  ),
  /** It holds zeroes there. */
  'sim:disk_cleared': fact(
    { drive: 'text', offset: 'u', len: 'u' },
    (e) => `drive ${e.drive} offset 0x${hex(e.offset)} len ${e.len}`,
  ),
  /** All it holds is durable now; `changes`: how many it was written or cleared since the last time. */
  'sim:disk_flushed': fact({ drive: 'text', changes: 'u' }, (e) => `drive ${e.drive} changes ${e.changes}`),
} as const;
