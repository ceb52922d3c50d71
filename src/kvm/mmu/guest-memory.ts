/** Guest-physical memory as KVM reaches it: through memory slots. Linux virt/kvm/kvm_main.c. */
import type { Gfn, Gpa, Hva } from '../../base/units.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { KVM_MEM_READONLY } from '../ioctl/ioctls.ts';
import type { MemslotState } from '../state.ts';

const PAGE = 4096;

/** The slot a guest frame belongs to. */
export function slotOf(kvm: KvmContext, gfn: Gfn): MemslotState | undefined {
  for (const slot of vmOf(kvm).slots) {
    if (gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages) return slot;
  }
  return undefined;
}

/** Host-virtual address of guest-physical memory, or -1: no slot, or a write to a read-only one. */
export function guestHva(kvm: KvmContext, gpa: Gpa, write: boolean): Hva {
  const slot = slotOf(kvm, Math.floor(gpa / PAGE));
  if (slot === undefined || (write && (slot.flags & KVM_MEM_READONLY) !== 0)) return -1;
  return slot.hva + (gpa - slot.baseGfn * PAGE);
}

/** Linux mark_page_dirty_in_slot: the log learns of a page it does not hold yet. */
export function markDirty(kvm: KvmContext, slot: MemslotState, gfn: Gfn): void {
  if (slot.dirty === undefined) return;
  const page = gfn - slot.baseGfn;
  if (((slot.dirty[page >> 5]! >>> (page & 31)) & 1) === 0) kvm.raise({ kind: 'sim:page_dirty', slot: slot.id, gfn });
}

/** kvm_read_guest: undefined where no slot is. The range does not cross a page. */
export function readGuest(kvm: KvmContext, gpa: Gpa, length: number): Uint8Array | undefined {
  const hva = guestHva(kvm, gpa, false);
  return hva < 0 ? undefined : kvm.guest.readHost(hva, length);
}

/** kvm_write_guest: false where nothing can be written. The range does not cross a page. */
export function writeGuest(kvm: KvmContext, gpa: Gpa, bytes: Uint8Array): boolean {
  const gfn = Math.floor(gpa / PAGE);
  const slot = slotOf(kvm, gfn);
  if (slot === undefined || (slot.flags & KVM_MEM_READONLY) !== 0) return false;
  kvm.guest.writeHost(slot.hva + (gpa - slot.baseGfn * PAGE), bytes);
  markDirty(kvm, slot, gfn);
  return true;
}
