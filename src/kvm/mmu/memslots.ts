import { type KvmContext, vmOf } from '../context.ts';
import { E2BIG, EEXIST, EINVAL } from '../errno.ts';
import { KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, type UserMemoryRegion } from '../ioctls.ts';
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
    dirty: (region.flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0 ? freshBitmap(npages) : undefined,
  });
  nextGeneration(kvm);
  return 0;
}

/** KVM_GET_DIRTY_LOG: the bits since the last call; pages are write-protected again. */
export function getDirtyLog(kvm: KvmContext, id: number, bitmap: Uint8Array): number {
  const slot = vmOf(kvm).slots.find((candidate) => candidate.id === id);
  if (slot?.dirty === undefined) return slot === undefined ? -EINVAL : -EINVAL;
  const words = slot.dirty;
  for (let byte = 0; byte < Math.min(bitmap.length, words.length * 4); byte += 1) {
    bitmap[byte] = (words[byte >> 2] >>> ((byte & 3) * 8)) & 0xff;
  }
  writeProtectSlot(kvm, slot, words);
  slot.dirty = freshBitmap(slot.npages);
  return 0;
}

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
  old.dirty = logging ? (old.dirty ?? freshBitmap(npages)) : undefined;
  nextGeneration(kvm);
  if (newlyLogged) writeProtectSlot(kvm, old, undefined);
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

const freshBitmap = (npages: number): number[] => new Array<number>(Math.ceil(npages / 32)).fill(0);

/** Linux kvm_swap_active_memslots and kvm_mmu_invalidate_mmio_sptes: the generation has 19 bits in an entry. */
function nextGeneration(kvm: KvmContext): void {
  const vm = vmOf(kvm);
  vm.generation = (vm.generation + 1) % 2 ** 19;
  if (vm.generation === 0) zapAllFast(kvm);
}
