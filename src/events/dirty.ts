import { fact, hex, input } from './schema.ts';

/** How many pages a bitmap names. */
function pagesIn(bitmap: Uint8Array): number {
  let pages = 0;
  for (const byte of bitmap) for (let bits = byte; bits !== 0; bits &= bits - 1) pages += 1;
  return pages;
}

/** QEMU's log of written pages and its measurement of them: trace events of 7.2, and our own. */
export const DIRTY_FACTS = {
  /** bitmask: who wants memory to be logged now. 1: a migration, 2: a measurement. */
  global_dirty_changed: fact({ bitmask: 'u' }, (e) => `bitmask 0x${hex(e.bitmask)}`),
  memory_region_sync_dirty: fact(
    { mr: 'text', listener: 'text', global: 'bool' },
    (e) => `mr '${e.mr}' listener '${e.listener}' synced (global=${Number(e.global)})`,
  ),
  kvm_clear_dirty_log: fact(
    { slot: 'u', start: 'u', size: 'u' },
    (e) => `slot#${e.slot} start 0x${hex(e.start)} size 0x${hex(e.size)}`,
  ),
  dirtyrate_set_state: fact({ new_state: 'text' }, (e) => `new state ${e.new_state}`),
  dirtyrate_calculate: fact({ dirtyrate: 'u' }, (e) => `dirty rate: ${e.dirtyrate} MB/s`),
  /**
   * QEMU's bitmap has pages of guest memory that were written. by: `kvm`, from KVM's log; `qemu`, by a device of its
   * own just now; `vhost`, from the log of this client. bitmap: bit 0 of byte 0 is frame `gfn`.
   */
  'sim:dirty_pages': fact(
    { by: 'text', client: 'text', gfn: 'u', bitmap: 'bytes' },
    (e) => `${e.client === '' ? e.by : `${e.by} ${e.client}`} ${pagesIn(e.bitmap)} pages from gfn 0x${hex(e.gfn)}`,
  ),
  /** From now on pages count, up to a virtual nanosecond. */
  'sim:dirty_rate_waits': fact({ start: 'u', due: 'u' }, (e) => `from ${e.start} ns to ${e.due} ns`),
} as const;

export const DIRTY_INPUTS = {
  /** It is to be measured how many pages are written in so many virtual seconds: QEMU's `calc_dirty_rate -b`. */
  'sim:dirty_rate_asked': input({ seconds: 'u' }, (e) => `${e.seconds} s`, 'dirty log'),
} as const;
