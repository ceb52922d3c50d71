import { invariant } from '../../base/invariant.ts';
import { KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, KVM_SET_USER_MEMORY_REGION } from '../../kvm/ioctl/ioctls.ts';
import type { Machine } from '../board/machine.ts';
import type { MemorySlot } from '../state.ts';
import { vmIoctl } from '../accel/traced-kvm.ts';
import { syncSlot } from './dirty-pages.ts';
import { type FlatRange, sameRange } from './flat-view.ts';
import { isLogging } from './written.ts';

/**
 * Give KVM the difference between two flat views: first every range that went or changed is deleted, then every
 * new one is added in the lowest free slot, as QEMU 7.2's memory listener does.
 */
export function commitSlots(machine: Machine, before: readonly FlatRange[], after: readonly FlatRange[]): void {
  const was = before.flatMap(slotOf);
  const is = after.flatMap(slotOf);
  for (const range of was) if (!is.some((kept) => sameRange(kept, range))) removeSlot(machine, range);
  for (const range of is) if (!was.some((kept) => sameRange(kept, range))) addSlot(machine, range);
}

/** Host virtual address of a range's first byte. */
const hvaOf = (range: FlatRange): number => range.leaf.hva! + range.offset;

const PAGE = 4096;

/**
 * The whole pages of memory that a range has. Of a page that registers are in as well there is no slot: what a guest
 * does there are exits, and user space finds the memory. kvm_align_section.
 */
function slotOf(range: FlatRange): FlatRange[] {
  if (range.leaf.hva === undefined) return [];
  const start = PAGE * Math.ceil(range.start / PAGE);
  const size = PAGE * Math.floor((range.start + range.size) / PAGE) - start;
  return size > 0 ? [{ ...range, start, size, offset: range.offset + start - range.start }] : [];
}

function removeSlot(machine: Machine, range: FlatRange): void {
  const slot = machine.state.slots.find(({ gpa, size }) => gpa === range.start && size === range.size);
  invariant(slot !== undefined, 'a mapped range has a slot', { start: range.start, size: range.size });
  // What was written there would be forgotten with the slot.
  if ((slot.flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0) syncSlot(machine, slot);
  setSlot(machine, { ...slot, size: 0, flags: 0 });
}

function addSlot(machine: Machine, range: FlatRange): void {
  const { slots } = machine.state;
  let free = 0;
  while (slots.some(({ slot }) => slot === free)) free++;
  const flags = flagsOf(machine, range);
  setSlot(machine, { slot: free, flags, gpa: range.start, size: range.size, hva: hvaOf(range) });
}

/** Only ROM is read-only: QEMU lets the guest write RAM that PAM protects, since its slot's flags follow the leaf. */
const flagsOf = (machine: Machine, { leaf }: FlatRange): number =>
  (leaf.readonly ? KVM_MEM_READONLY : 0) | (isLogging(machine) ? KVM_MEM_LOG_DIRTY_PAGES : 0);

/** The ranges for which KVM has a slot. */
export const slotRanges = ({ board }: Machine): FlatRange[] => board.memoryView.flatMap(slotOf);

/** The slot of such a range. */
export const slotAt = ({ state }: Machine, { start }: FlatRange): MemorySlot =>
  state.slots.find(({ gpa }) => gpa === start)!;

/** Memory is logged, or is no more: kvm_log_start, kvm_log_stop. */
export function setLogFlags(machine: Machine): void {
  for (const range of slotRanges(machine)) {
    const slot = slotAt(machine, range);
    const flags = flagsOf(machine, range);
    if (flags !== slot.flags) setSlot(machine, { ...slot, flags });
  }
}

function setSlot(machine: Machine, { slot, flags, gpa, size, hva }: MemorySlot): void {
  const region = { slot, flags, guestPhysAddr: gpa, memorySize: size, userspaceAddr: hva };
  const ret = vmIoctl(machine, machine.fds.vm, KVM_SET_USER_MEMORY_REGION, region);
  machine.raise({
    kind: 'kvm_set_user_memory',
    slot,
    flags,
    guest_phys_addr: gpa,
    memory_size: size,
    userspace_addr: hva,
    ret,
  });
}
