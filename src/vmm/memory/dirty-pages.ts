/** QEMU's bitmap of written pages, as KVM's logs of its slots add to it. QEMU 7.2: accel/kvm/kvm-all.c. */
import { KVM_GET_DIRTY_LOG } from '../../kvm/ioctl/ioctls.ts';
import { pagesOfBitmap } from '../../memory/page-bits.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';
import type { Machine } from '../board/machine.ts';
import type { MemorySlot } from '../state.ts';
import { tellPages } from './written.ts';

const PAGE = 4096;
/** Bitmaps of KVM are of words of 64 pages. */
const WORD = 64;

/** What KVM has in its log of a slot: kvm_slot_get_dirty_log, kvm_slot_sync_dirty_pages. */
export function syncSlot(machine: Machine, { slot, gpa, size }: MemorySlot): Uint8Array {
  const bitmap = new Uint8Array((WORD / 8) * Math.ceil(size / PAGE / WORD));
  vmIoctl(machine, machine.fds.vm, KVM_GET_DIRTY_LOG, { slot, bitmap });
  tellPages(machine, 'kvm', pagesOfBitmap(gpa / PAGE, bitmap));
  return bitmap;
}
