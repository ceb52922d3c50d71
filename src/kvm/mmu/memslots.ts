import { type KvmContext, vmOf } from '../context.ts';
import { E2BIG, EEXIST, EINVAL, ENOENT } from '../errno.ts';
import { type DirtyLog, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, type UserMemoryRegion } from '../ioctls.ts';
import type { MemslotState } from '../state.ts';
import { writeProtectSlot, zapAllFast } from './tdp-mmu.ts';

/** Slots user space may use: KVM_USER_MEM_SLOTS. */
export const USER_MEMORY_SLOTS = 32764;
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
  if (npages === 0) return old === undefined ? -EINVAL : deleteSlot(kvm, old);
  if (old !== undefined) return changeSlot(kvm, old, region);
  if (overlaps(vm.slots, region.slot, baseGfn, npages)) return -EEXIST;
  vm.slots.push({
    id: region.slot,
    flags: region.flags,
    baseGfn,
    npages,
    hva: region.userspaceAddr,
    dirty: (region.flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0 ? freshBitmap(kvm, npages) : undefined,
  });
  nextGeneration(kvm);
  return 0;
}

/** KVM_GET_DIRTY_LOG: the bits since the last call; pages are write-protected again. */
export function getDirtyLog(kvm: KvmContext, id: number, bitmap: Uint8Array): number {
  const slot = vmOf(kvm).slots.find((candidate) => candidate.id === id);
  if (slot?.dirty === undefined) return id >= USER_MEMORY_SLOTS ? -EINVAL : -ENOENT;
  const words = slot.dirty;
  for (let byte = 0; byte < Math.min(bitmap.length, words.length * 4); byte += 1) {
    bitmap[byte] = (words[byte >> 2] >>> ((byte & 3) * 8)) & 0xff;
  }
  if (isManual(kvm)) return 0;
  writeProtectSlot(kvm, slot, words);
  slot.dirty = cleanBitmap(slot.npages);
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
  const cleared = cleanBitmap(slot.npages);
  for (let word = 0; word < Math.ceil(numPages / 32); word += 1) {
    const at = firstPage / 32 + word;
    const [a = 0, b = 0, c = 0, d = 0] = bitmap.subarray(word * 4, word * 4 + 4);
    cleared[at] = (slot.dirty[at] & (a | (b << 8) | (c << 16) | (d << 24))) >>> 0;
    slot.dirty[at] = (slot.dirty[at] & ~cleared[at]) >>> 0;
  }
  writeProtectSlot(kvm, slot, cleared);
  return 0;
}

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: reading the log cleans nothing. */
const isManual = (kvm: KvmContext): boolean => ((vmOf(kvm).caps[CAP_MANUAL_DIRTY_LOG_PROTECT2] ?? 0) & 1) !== 0;

/** KVM_DIRTY_LOG_INITIALLY_SET: every page counts as dirty until it is cleared, and none is protected before. */
const isInitiallySet = (kvm: KvmContext): boolean => (vmOf(kvm).caps[CAP_MANUAL_DIRTY_LOG_PROTECT2] ?? 0) === 3;

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
  const logging = (region.flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
  if (baseGfn !== old.baseGfn) {
    if (overlaps(vmOf(kvm).slots, old.id, baseGfn, npages)) return -EEXIST;
    zapAllFast(kvm);
    old.baseGfn = baseGfn;
  } else if (old.flags === region.flags) {
    return 0;
  }
  const newlyLogged = logging && old.dirty === undefined;
  old.flags = region.flags;
  old.dirty = logging ? (old.dirty ?? freshBitmap(kvm, npages)) : undefined;
  nextGeneration(kvm);
  if (newlyLogged && !isInitiallySet(kvm)) writeProtectSlot(kvm, old, undefined);
  return 0;
}

function deleteSlot(kvm: KvmContext, old: MemslotState): number {
  const vm = vmOf(kvm);
  vm.slots = vm.slots.filter((slot) => slot !== old);
  zapAllFast(kvm);
  nextGeneration(kvm);
  return 0;
}

function overlaps(slots: readonly MemslotState[], id: number, baseGfn: number, npages: number): boolean {
  return slots.some((s) => s.id !== id && s.baseGfn < baseGfn + npages && baseGfn < s.baseGfn + s.npages);
}

const cleanBitmap = (npages: number): number[] => new Array<number>(Math.ceil(npages / 32)).fill(0);

function freshBitmap(kvm: KvmContext, npages: number): number[] {
  const bitmap = cleanBitmap(npages);
  if (!isInitiallySet(kvm)) return bitmap;
  bitmap.fill(0xffff_ffff);
  if (npages % 32 !== 0) bitmap[bitmap.length - 1] = 2 ** (npages % 32) - 1;
  return bitmap;
}

/** Linux kvm_swap_active_memslots and kvm_mmu_invalidate_mmio_sptes: the generation has 19 bits in an entry. */
function nextGeneration(kvm: KvmContext): void {
  const vm = vmOf(kvm);
  vm.generation = (vm.generation + 1) % 2 ** 19;
  if (vm.generation === 0) zapAllFast(kvm);
}
