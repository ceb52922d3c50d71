import type { Gfn } from '../../base/units.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { E2BIG, EEXIST, EINVAL, ENOENT } from '../../base/errno.ts';
import { type DirtyLog, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, type UserMemoryRegion } from '../ioctl/ioctls.ts';
import type { MemslotState, VmState } from '../state.ts';
import { splitSlot, writeProtectSlot, zapAllFast, zapCollapsible } from './tdp-mmu.ts';

/** Slots user space may use: KVM_USER_MEM_SLOTS. */
const USER_MEMORY_SLOTS = 32764;
const MAX_SLOT_PAGES = 2 ** 31 - 1;
const PAGE = 4096;

/** KVM_SET_USER_MEMORY_REGION: create, delete, move or change the flags of a slot. */
export function setMemoryRegion(kvm: KvmContext, region: UserMemoryRegion): number {
  const problem = checkRegion(region);
  if (problem !== 0) return problem;
  const vm = vmOf(kvm);
  const old = vm.slots.find((slot) => slot.id === region.slot);
  const baseGfn = region.guestPhysAddr / PAGE;
  const npages = region.memorySize / PAGE;
  if (npages === 0) return old === undefined ? -EINVAL : deleteSlot(kvm, region);
  if (old !== undefined) return changeSlot(kvm, old, region);
  if (overlaps(vm.slots, region.slot, baseGfn, npages)) return -EEXIST;
  tellRegion(kvm, region);
  return 0;
}

/** The slots change, and with them their generation, which has 19 bits in an entry: kvm_mmu_invalidate_mmio_sptes. */
function tellRegion(kvm: KvmContext, region: UserMemoryRegion): KvmContext {
  const changed = kvm.after(
    kvm.raise({
      kind: 'ioctl:KVM_SET_USER_MEMORY_REGION',
      slot: region.slot,
      flags: region.flags,
      guest_phys_addr: region.guestPhysAddr,
      memory_size: region.memorySize,
      userspace_addr: region.userspaceAddr,
    }),
  );
  if (vmOf(kvm).generation === 0) zapAllFast(changed);
  return changed;
}

/** KVM_GET_DIRTY_LOG: the bits since the last call; pages are write-protected again. */
export function getDirtyLog(kvm: KvmContext, id: number, bitmap: Uint8Array): number {
  const slot = vmOf(kvm).slots.find((candidate) => candidate.id === id);
  if (slot?.dirty === undefined) return id >= USER_MEMORY_SLOTS ? -EINVAL : -ENOENT;
  const words = [...slot.dirty];
  for (let byte = 0; byte < Math.min(bitmap.length, words.length * 4); byte += 1) {
    bitmap[byte] = (words[byte >> 2]! >>> ((byte & 3) * 8)) & 0xff;
  }
  if (isManual(kvm)) return 0;
  const taken = kvm.after(kvm.raise({ kind: 'ioctl:KVM_GET_DIRTY_LOG', slot: id }));
  writeProtectSlot(taken, slot, words);
  return 0;
}

/** KVM_CLEAR_DIRTY_LOG: of the pages named, those that are dirty become clean and write-protected. */
export function clearDirtyLog(kvm: KvmContext, log: DirtyLog): number {
  const { firstPage = 0, numPages = 0, slot: id, bitmap } = log;
  const slot = vmOf(kvm).slots.find((candidate) => candidate.id === id);
  if (firstPage % PAGES_OF_LONG !== 0 || id >= USER_MEMORY_SLOTS) return -EINVAL;
  if (slot?.dirty === undefined) return -ENOENT;
  const left = slot.npages - firstPage;
  if (left < 0 || numPages > left || (numPages < left && numPages % PAGES_OF_LONG !== 0)) return -EINVAL;
  const cleared = clearedBy(slot.dirty, { firstPage, numPages, bitmap });
  const range = { slot: id, first_page: firstPage, num_pages: numPages, bitmap };
  const taken = kvm.after(kvm.raise({ kind: 'ioctl:KVM_CLEAR_DIRTY_LOG', ...range }));
  // Where all counted as dirty nothing was split when logging began.
  if (isInitiallySet(vmOf(kvm))) splitSlot(taken, slot, cleared);
  writeProtectSlot(taken, slot, cleared);
  return 0;
}

/** The dirty pages a bitmap of some pages names, one bit a page of the slot. */
export function clearedBy(
  dirty: readonly number[],
  { firstPage, numPages, bitmap }: { firstPage: number; numPages: number; bitmap: Uint8Array },
): number[] {
  const cleared = new Array<number>(dirty.length).fill(0);
  for (let word = 0; word < Math.ceil(numPages / 32); word += 1) {
    const at = firstPage / 32 + word;
    const [a = 0, b = 0, c = 0, d = 0] = bitmap.subarray(word * 4, word * 4 + 4);
    cleared[at] = (dirty[at]! & (a | (b << 8) | (c << 16) | (d << 24))) >>> 0;
  }
  return cleared;
}

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: reading the log cleans nothing. */
const isManual = (kvm: KvmContext): boolean => ((vmOf(kvm).caps[CAP_MANUAL_DIRTY_LOG_PROTECT2] ?? 0) & 1) !== 0;

/** KVM_DIRTY_LOG_INITIALLY_SET: every page counts as dirty until it is cleared, and none is protected before. */
const isInitiallySet = ({ caps }: VmState): boolean => (caps[CAP_MANUAL_DIRTY_LOG_PROTECT2] ?? 0) === 3;

const CAP_MANUAL_DIRTY_LOG_PROTECT2 = 168;
/** Bitmaps are handled by the 64-bit word. */
const PAGES_OF_LONG = 64;

function checkRegion(region: UserMemoryRegion): number {
  if ((region.flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)) !== 0) return -EINVAL;
  if (region.memorySize % PAGE !== 0 || region.guestPhysAddr % PAGE !== 0) return -EINVAL;
  if (region.userspaceAddr % PAGE !== 0) return -EINVAL;
  if (region.slot >= USER_MEMORY_SLOTS) return -EINVAL;
  return region.memorySize / PAGE > MAX_SLOT_PAGES ? -E2BIG : 0;
}

function changeSlot(kvm: KvmContext, old: MemslotState, region: UserMemoryRegion): number {
  const baseGfn = region.guestPhysAddr / PAGE;
  const npages = region.memorySize / PAGE;
  const readonlyChanged = ((old.flags ^ region.flags) & KVM_MEM_READONLY) !== 0;
  if (npages !== old.npages || region.userspaceAddr !== old.hva || readonlyChanged) return -EINVAL;
  const moves = baseGfn !== old.baseGfn;
  if (moves && overlaps(vmOf(kvm).slots, old.id, baseGfn, npages)) return -EEXIST;
  if (!moves && old.flags === region.flags) return 0;
  const changed = tellRegion(kvm, region);
  if (moves) zapAllFast(changed);
  else applyFlags(changed, vmOf(kvm).slots.find(({ id }) => id === region.slot)!);
  return 0;
}

/** kvm_mmu_slot_apply_flags: a slot is logged from now on, or no longer. Pages of a ROM cannot be written anyway. */
function applyFlags(kvm: KvmContext, slot: MemslotState): void {
  if ((slot.flags & KVM_MEM_READONLY) !== 0 || kvm.state.ept.roots.tdp.table === 0) return;
  if (slot.dirty === undefined) zapCollapsible(kvm, slot);
  else if (!isInitiallySet(vmOf(kvm))) {
    splitSlot(kvm, slot, undefined);
    writeProtectSlot(kvm, slot, undefined);
  }
}

function deleteSlot(kvm: KvmContext, region: UserMemoryRegion): number {
  zapAllFast(tellRegion(kvm, region));
  return 0;
}

function overlaps(slots: readonly MemslotState[], id: number, baseGfn: Gfn, npages: number): boolean {
  return slots.some((s) => s.id !== id && s.baseGfn < baseGfn + npages && baseGfn < s.baseGfn + s.npages);
}

/** A log in which nothing is dirty. */
export const cleanBitmap = (npages: number): number[] => new Array<number>(Math.ceil(npages / 32)).fill(0);

/** The log of a slot that is logged from now on. */
export function freshBitmap(vm: VmState, npages: number): number[] {
  const bitmap = cleanBitmap(npages);
  if (!isInitiallySet(vm)) return bitmap;
  bitmap.fill(0xffff_ffff);
  if (npages % 32 !== 0) bitmap[bitmap.length - 1] = 2 ** (npages % 32) - 1;
  return bitmap;
}
