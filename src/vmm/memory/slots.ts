import { invariant } from '../../base/invariant.ts';
import type { Kvm } from '../../kvm/api.ts';
import { KVM_MEM_READONLY, KVM_SET_USER_MEMORY_REGION } from '../../kvm/ioctls.ts';
import type { VmmHost } from '../host.ts';
import { vmIoctl } from '../traced-kvm.ts';
import { type FlatRange, sameRange } from './flat-view.ts';

/** A KVM memory slot in use, as set by KVM_SET_USER_MEMORY_REGION. */
export interface MemorySlot {
  slot: number;
  flags: number;
  gpa: number;
  size: number;
  hva: number;
}

/** What committing a flat view needs. */
export interface SlotOwner {
  readonly kvm: Kvm;
  readonly host: VmmHost;
  readonly vmFd: number;
  readonly slots: MemorySlot[];
}

/**
 * Give KVM the difference between two flat views: first every range that went or changed is deleted, then every
 * new one is added in the lowest free slot, as QEMU 7.2's memory listener does.
 */
export function commitSlots(owner: SlotOwner, before: readonly FlatRange[], after: readonly FlatRange[]): void {
  const was = before.filter(isBacked);
  const is = after.filter(isBacked);
  for (const range of was) if (!is.some((kept) => sameRange(kept, range))) removeSlot(owner, range);
  for (const range of is) if (!was.some((kept) => sameRange(kept, range))) addSlot(owner, range);
}

/** Host virtual address of a range's first byte. */
export function hvaOf(range: FlatRange): number {
  return range.leaf.hva! + range.offset;
}

function isBacked(range: FlatRange): boolean {
  return range.leaf.hva !== undefined;
}

function removeSlot(owner: SlotOwner, range: FlatRange): void {
  const index = owner.slots.findIndex((slot) => slot.gpa === range.start && slot.size === range.size);
  invariant(index >= 0, 'a mapped range has a slot', { start: range.start, size: range.size });
  const [slot] = owner.slots.splice(index, 1);
  setSlot(owner, { ...slot!, size: 0, flags: 0 });
}

function addSlot(owner: SlotOwner, range: FlatRange): void {
  let free = 0;
  while (owner.slots.some((slot) => slot.slot === free)) free++;
  // Only ROM is: QEMU lets the guest write RAM that PAM protects, since its slot's flags follow the leaf.
  const flags = range.leaf.readonly ? KVM_MEM_READONLY : 0;
  const slot = { slot: free, flags, gpa: range.start, size: range.size, hva: hvaOf(range) };
  owner.slots.push(slot);
  setSlot(owner, slot);
}

function setSlot(owner: SlotOwner, slot: MemorySlot): void {
  const ret = vmIoctl(owner, owner.vmFd, KVM_SET_USER_MEMORY_REGION, {
    slot: slot.slot,
    flags: slot.flags,
    guestPhysAddr: slot.gpa,
    memorySize: slot.size,
    userspaceAddr: slot.hva,
  });
  owner.host.raise({
    kind: 'kvm_set_user_memory',
    slot: slot.slot,
    flags: slot.flags,
    guest_phys_addr: slot.gpa,
    memory_size: slot.size,
    userspace_addr: slot.hva,
    ret,
  });
}
