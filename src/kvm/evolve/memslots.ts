/** What facts do to memory slots and their dirty logs. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import { putAt } from '../../base/places.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { KVM_MEM_LOG_DIRTY_PAGES } from '../ioctl/ioctls.ts';
import { cleanBitmap, clearedBy, freshBitmap } from '../mmu/memslots.ts';
import type { KvmState, MemslotState } from '../state.ts';

type Kvm = Draft<KvmState>;

const PAGE = 4096;
/** Of the guest-physical memory this machine can have. */
const MOST_PAGES = 2 ** 20;
/** A generation has 19 bits in an MMIO entry. */
const GENERATIONS = 2 ** 19;

/** KVM_SET_USER_MEMORY_REGION: no size deletes, a slot that is there moves or changes its flags. */
export function regionSet(kvm: Kvm, event: EventOf<'ioctl:KVM_SET_USER_MEMORY_REGION'>): void {
  const vm = kvm.vm!;
  const { slot: id, flags, guest_phys_addr: gpa, memory_size: size, userspace_addr: hva } = event;
  const npages = size / PAGE;
  const slot = vm.slots.find((each) => each.id === id);
  const isLogged = (flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
  if (npages === 0) vm.slots = vm.slots.filter((each) => each.id !== id);
  else {
    invariant(npages <= MOST_PAGES, 'a slot fits below 4 GiB', { npages });
    const dirty = isLogged ? (slot?.dirty ?? freshBitmap(vm, npages)) : undefined;
    const set = { id, flags, baseGfn: gpa / PAGE, npages, hva, dirty };
    if (slot === undefined) vm.slots.push(set);
    else Object.assign(slot, set);
  }
  vm.generation = (vm.generation + 1) % GENERATIONS;
}

const slotOf = (kvm: Kvm, id: number): Draft<MemslotState> => kvm.vm!.slots.find((slot) => slot.id === id)!;

/** KVM_GET_DIRTY_LOG that cleans. */
export function logTaken(kvm: Kvm, { slot: id }: EventOf<'ioctl:KVM_GET_DIRTY_LOG'>): void {
  const slot = slotOf(kvm, id);
  slot.dirty = cleanBitmap(slot.npages);
}

/** KVM_CLEAR_DIRTY_LOG. */
export function logCleared(kvm: Kvm, event: EventOf<'ioctl:KVM_CLEAR_DIRTY_LOG'>): void {
  const { dirty, npages } = slotOf(kvm, event.slot);
  if (dirty === undefined) return;
  invariant(event.num_pages <= npages, 'the pages are of the slot', { npages });
  const range = { firstPage: event.first_page, numPages: event.num_pages, bitmap: event.bitmap };
  clearedBy(dirty, range).forEach((bits, at) => {
    dirty[at] = (dirty[at]! & ~bits) >>> 0;
  });
}

/** sim:page_dirty. */
export function pageWritten(kvm: Kvm, { slot: id, gfn }: EventOf<'sim:page_dirty'>): void {
  const { dirty, baseGfn } = slotOf(kvm, id);
  if (dirty === undefined) return;
  const page = gfn - baseGfn;
  putAt(dirty, page >> 5, (dirty[page >> 5]! | (1 << (page & 31))) >>> 0);
}
