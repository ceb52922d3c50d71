/** Memory is logged from now on, or no longer, and what was found is gathered. QEMU 7.2: softmmu/memory.c. */
import { KVM_CLEAR_DIRTY_LOG } from '../../kvm/ioctl/ioctls.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';
import type { Machine } from '../board/machine.ts';
import { syncSlot } from '../memory/dirty-pages.ts';
import { setLogFlags, slotAt, slotRanges } from '../memory/slots.ts';
import type { MemorySlot } from '../state.ts';
import { logVhosts, syncVhosts } from '../vhost/migration-log.ts';

/** GLOBAL_DIRTY_DIRTY_RATE. */
const MEASUREMENT = 2;

const PAGE = 4096;

/** memory_global_dirty_log_start: vhost first, then KVM's slots. */
export function startLog(machine: Machine): void {
  const told = machine.after(machine.raise({ kind: 'global_dirty_changed', bitmask: MEASUREMENT }));
  logVhosts(told, true);
  setLogFlags(told);
}

/** memory_global_dirty_log_stop: KVM's slots first, then vhost. */
export function stopLog(machine: Machine): void {
  const told = machine.after(machine.raise({ kind: 'global_dirty_changed', bitmask: 0 }));
  setLogFlags(told);
  logVhosts(told, false);
}

/** KVM's slots of guest memory with what was last read of their logs. */
export type Bitmaps = ReadonlyMap<number, Uint8Array>;

/** memory_global_dirty_log_sync. */
export function syncLog(machine: Machine): Bitmaps {
  const bitmaps = new Map<number, Uint8Array>();
  for (const range of slotRanges(machine)) {
    const slot = slotAt(machine, range);
    bitmaps.set(slot.slot, syncSlot(machine, slot));
  }
  machine.raise({ kind: 'memory_region_sync_dirty', mr: '(all)', listener: 'kvm-memory', global: false });
  syncVhosts(machine);
  return bitmaps;
}

/**
 * dirtyrate_manual_reset_protect: KVM has its log cleared of what was read, block by block of memory, the largest
 * first, as QEMU's list of them is.
 */
export function clearLog(machine: Machine, bitmaps: Bitmaps): void {
  const ranges = slotRanges(machine);
  const blocks = new Map(ranges.map(({ leaf }) => [leaf.hva, leaf.size]));
  for (const [hva] of [...blocks].sort(([, a], [, b]) => b - a)) {
    for (const range of ranges) if (range.leaf.hva === hva) clearSlot(machine, slotAt(machine, range), bitmaps);
  }
}

/** kvm_log_clear_one_slot. */
function clearSlot(machine: Machine, { slot, size }: MemorySlot, bitmaps: Bitmaps): void {
  const numPages = size / PAGE;
  vmIoctl(machine, machine.fds.vm, KVM_CLEAR_DIRTY_LOG, { slot, firstPage: 0, numPages, bitmap: bitmaps.get(slot)! });
  machine.raise({ kind: 'kvm_clear_dirty_log', slot, start: 0, size: numPages });
}
