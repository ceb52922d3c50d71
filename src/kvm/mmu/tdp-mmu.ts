import { invariant } from '../../base/invariant.ts';
import type { Gfn, Gpa } from '../../base/units.ts';
import { EPT_POOL_BASE, eptWord } from '../../memory/ept-pool.ts';
import { hostPhysical } from '../../memory/host-physical.ts';
import { EPTP } from '../../x86/controls.ts';
import { type KvmContext, REQ_TLB_FLUSH, request, vmOf } from '../context.ts';
import { KVM_MEM_READONLY } from '../ioctl/ioctls.ts';
import type { MemslotState, VcpuState } from '../state.ts';
import { type EptPlace, nextTable, tablesBelow, tablesOf, walkTo } from './ept-tables.ts';
import { markDirty, slotOf } from './guest-memory.ts';
import type { MmuRoot } from './root.ts';
import { rootInUse } from './roots.ts';
import {
  addressOf,
  isLarge,
  isMmioSpte,
  isMmuWritable,
  isPresent,
  isWalkable,
  isWritable,
  leafSpte,
  madeWritable,
  mmioGeneration,
  mmioSpte,
  smallSpte,
  tableSpte,
  writeProtected,
} from './spte.ts';

/** The outcome of a fault: enter the guest again, emulate the access, or give up. Linux RET_PF_*. */
export type PageFault = 'retry' | 'fixed' | 'emulate' | 'spurious';

/** Page-fault error code bits, as KVM makes them from an EPT violation's qualification. */
export const PFERR_PRESENT = 1;
export const PFERR_WRITE = 2;
export const PFERR_FETCH = 16;

const LARGE_LEVEL = 2;
const PFN_NOSLOT = 2 ** 52 - 1;
const RET_PF_FIXED = 5;
/** More than one fault takes: a root and the three levels below. */
const KVM_MIN_FREE_MMU_PAGES = 5;
/** Linux union kvm_mmu_page_role: direct, all access. */
const ROLE = 0x780;

/** kvm_mmu_reload: make sure there is the root a vCPU is to use. Returns its EPT pointer. */
export function loadRoot(kvm: KvmContext, vcpu: VcpuState): number {
  const { table, level } = rootInUse(kvm.state, vcpu);
  if (table === 0) allocateTable(kvm, 0, level);
  return rootInUse(kvm.state, vcpu).table + EPTP.WRITE_BACK + EPTP.FOUR_LEVELS + EPTP.ACCESSED_DIRTY;
}

/** kvm_tdp_page_fault: map the page, or find that the access must be emulated. */
export function handleTdpFault(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa, errorCode: number): PageFault {
  makePagesAvailable(kvm);
  loadRoot(kvm, vcpu);
  const write = (errorCode & PFERR_WRITE) !== 0;
  const gfn = Math.floor(gpa / 4096);
  if ((errorCode & PFERR_PRESENT) !== 0 && write && fastPageFault(kvm, vcpu, gpa, errorCode)) return 'fixed';
  const slot = slotOf(kvm, gfn);
  const root = rootInUse(kvm.state, vcpu);
  if (slot === undefined) return mapNoSlot(kvm, root, gfn);
  const readonly = (slot.flags & KVM_MEM_READONLY) !== 0;
  if (readonly && write) return 'emulate';
  return mapSlot(kvm, root, slot, { gfn, write, readonly });
}

/**
 * make_mmu_pages_available: a guest that touches memory everywhere cannot exhaust the pool. Deviation: Linux zaps the
 * oldest pages of a shadow MMU and lets those of the TDP MMU grow; here every translation goes, as when a slot does.
 */
function makePagesAvailable(kvm: KvmContext): void {
  const { pages, used } = kvm.state.ept;
  if (pages - used < KVM_MIN_FREE_MMU_PAGES) zapAllFast(kvm);
}

/** kvm_mmu_page_fault with PFERR_RSVD, Linux handle_mmio_page_fault: 'emulate' unless the entry is stale. */
export function handleMmioFault(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa): PageFault {
  const { spte, level } = walkTo(kvm.state.ept, rootInUse(kvm.state, vcpu), gpa, 1);
  if (level !== 1 || !isMmioSpte(spte)) return 'retry';
  const generation = mmioGeneration(spte);
  const current = vmOf(kvm).generation;
  kvm.raise({ kind: 'check_mmio_spte', kvm_gen: current, spte_gen: generation, spte });
  if (generation !== current) return 'retry';
  kvm.raise({ kind: 'handle_mmio_page_fault', addr: BigInt(gpa), gfn: Math.floor(gpa / 4096), access: 7 });
  return 'emulate';
}

/** kvm_mmu_zap_all_fast: a slot went away; every translation with it. */
export function zapAllFast(kvm: KvmContext): void {
  const { ept } = kvm.state;
  const gone = Object.values(ept.roots).flatMap((root) => tablesOf(ept, root));
  kvm.raise({ kind: 'kvm_mmu_zap_all_fast', mmu_valid_gen: vmOf(kvm).validGen ^ 1, mmu_used_pages: ept.used });
  clearTables(kvm, gone);
}

/** Write-protect the mapped pages of a slot: all, or those with a bit in `mask` (one bit a page). */
export function writeProtectSlot(kvm: KvmContext, slot: MemslotState, mask: readonly number[] | undefined): void {
  const root = kvm.state.ept.roots.tdp;
  if (root.table === 0) return;
  let changed = false;
  for (let page = 0; page < slot.npages; ) {
    const gfn = slot.baseGfn + page;
    if (mask !== undefined && ((mask[page >> 5]! >>> (page & 31)) & 1) === 0) {
      page += 1;
      continue;
    }
    const place = walkTo(kvm.state.ept, root, gfn * 4096, 1);
    if (isPresent(place.spte) && isWritable(place.spte)) {
      setEntry(kvm, place, gfn, writeProtected(place.spte));
      changed = true;
    }
    const span = 512 ** (place.level - 1);
    page += span - (gfn % span);
  }
  if (changed) flushAll(kvm);
}

/** kvm_flush_remote_tlbs. */
function flushAll(kvm: KvmContext): void {
  for (const vcpu of kvm.state.vcpus) request(kvm, vcpu, REQ_TLB_FLUSH);
  kvm.guest.invalidateEpt();
}

/**
 * kvm_mmu_try_split_huge_pages: 2 MiB pages become tables before somebody writes there, those with a page in `mask`
 * (one bit a page), or all of the slot's.
 */
export function splitSlot(kvm: KvmContext, slot: MemslotState, mask: readonly number[] | undefined): void {
  for (const gfn of largePlaces(slot)) {
    if (mask !== undefined && !hasAny(mask, gfn - slot.baseGfn)) continue;
    const place = walkTo(kvm.state.ept, kvm.state.ept.roots.tdp, gfn * 4096, LARGE_LEVEL);
    if (place.level !== LARGE_LEVEL || !isPresent(place.spte) || !isLarge(place.spte)) continue;
    // One that stays is split when it is written.
    if (kvm.state.ept.pages - kvm.state.ept.used < KVM_MIN_FREE_MMU_PAGES) return;
    splitLarge(kvm, place, gfn, allocateTable(kvm, gfn, 1));
  }
}

/** kvm_mmu_zap_collapsible_sptes: what logging had mapped by small pages is going to be mapped by large ones again. */
export function zapCollapsible(kvm: KvmContext, slot: MemslotState): void {
  let changed = false;
  for (const gfn of largePlaces(slot)) {
    const place = walkTo(kvm.state.ept, kvm.state.ept.roots.tdp, gfn * 4096, LARGE_LEVEL);
    if (place.level !== LARGE_LEVEL || !isPresent(place.spte) || isLarge(place.spte)) continue;
    setEntry(kvm, place, gfn, 0n);
    changed = true;
  }
  if (changed) flushAll(kvm);
}

/** First frames of where a slot can have 2 MiB pages while it is not logged. */
function largePlaces(slot: MemslotState): number[] {
  const places: number[] = [];
  const first = Math.ceil(slot.baseGfn / 512) * 512;
  for (let gfn = first; gfn + 512 <= slot.baseGfn + slot.npages; gfn += 512) {
    if ((slot.hva / 4096 + gfn - slot.baseGfn) % 512 === 0) places.push(gfn);
  }
  return places;
}

/** Of 512 pages from one of a slot on. */
function hasAny(mask: readonly number[], page: number): boolean {
  for (let at = page; at < page + 512; at += 1) if (((mask[at >> 5]! >>> (at & 31)) & 1) !== 0) return true;
  return false;
}

/** fast_page_fault: an entry that dirty logging write-protected becomes writable again. */
function fastPageFault(kvm: KvmContext, vcpu: VcpuState, gpa: Gpa, errorCode: number): boolean {
  const place = walkTo(kvm.state.ept, rootInUse(kvm.state, vcpu), gpa, 1);
  const gfn = Math.floor(gpa / 4096);
  const slot = slotOf(kvm, gfn);
  const { spte, level } = place;
  if (level !== 1 || !isPresent(spte) || !isMmuWritable(spte) || slot === undefined) return false;
  const writable = madeWritable(spte);
  markDirty(kvm, slot, gfn);
  kvm.raise({
    kind: 'fast_page_fault',
    vcpu_id: vcpu.index,
    cr2_or_gpa: BigInt(gpa),
    error_code: errorCode,
    sptep: addressOfPlace(place),
    old_spte: spte,
    new_spte: writable,
    ret: RET_PF_FIXED,
  });
  putWords(kvm, place, writable);
  kvm.guest.invalidateEpt();
  return true;
}

function mapNoSlot(kvm: KvmContext, root: MmuRoot, gfn: Gfn): PageFault {
  kvm.raise({ kind: 'kvm_mmu_spte_requested', gfn, pfn: PFN_NOSLOT, level: 1 });
  const place = linkTables(kvm, root, gfn, 1);
  const { generation } = vmOf(kvm);
  setEntry(kvm, place, gfn, mmioSpte(gfn, generation));
  kvm.raise({ kind: 'mark_mmio_spte', sptep: addressOfPlace(place), gfn, access: 7, gen: generation });
  return 'emulate';
}

/** What is to be mapped, and for what. */
interface Wanted {
  readonly gfn: Gfn;
  readonly write: boolean;
  readonly readonly: boolean;
}

function mapSlot(kvm: KvmContext, root: MmuRoot, slot: MemslotState, wanted: Wanted): PageFault {
  const { gfn, write, readonly } = wanted;
  const level = mappingLevel(slot, gfn);
  const base = level === 1 ? gfn : gfn - (gfn % 512);
  const hpa = hostPhysical(slot.hva + (base - slot.baseGfn) * 4096);
  const pfn = hostPhysical(slot.hva) / 4096 + gfn - slot.baseGfn;
  kvm.raise({ kind: 'kvm_mmu_spte_requested', gfn, pfn, level });
  const place = linkTables(kvm, root, gfn, level);
  // With dirty logging a page read first is mapped read-only, so that its first write is noticed.
  const writable = !readonly && (slot.dirty === undefined || write);
  const spte = leafSpte(hpa, level, !readonly, writable);
  if (place.spte === spte) return 'spurious';
  if (writable) markDirty(kvm, slot, gfn);
  setEntry(kvm, place, base, spte);
  const sptep = addressOfPlace(place);
  kvm.raise({ kind: 'kvm_mmu_set_spte', gfn: base, spte, sptep, level, r: true, x: true, u: -1 });
  return 'fixed';
}

/** 2 MiB when slot, alignment and logging allow it: Linux kvm_mmu_max_mapping_level. */
function mappingLevel(slot: MemslotState, gfn: Gfn): number {
  const base = gfn - (gfn % 512);
  if (slot.dirty !== undefined || base < slot.baseGfn || base + 512 > slot.baseGfn + slot.npages) return 1;
  return (slot.hva / 4096 + base - slot.baseGfn) % 512 === 0 ? LARGE_LEVEL : 1;
}

/** Walk down to `goal`, making the tables that are missing. Returns the entry at `goal`. */
function linkTables(kvm: KvmContext, root: MmuRoot, gfn: Gfn, goal: number): EptPlace {
  for (;;) {
    const place = walkTo(kvm.state.ept, root, gfn * 4096, goal);
    if (place.level === goal) return place;
    const span = 512 ** (place.level - 1);
    const child = allocateTable(kvm, gfn - (gfn % span), place.level - 1);
    if (isPresent(place.spte)) splitLarge(kvm, place, gfn, child);
    else setEntry(kvm, place, gfn - (gfn % span), tableSpte(child));
  }
}

/** tdp_mmu_split_huge_page: 512 entries in place of one. */
function splitLarge(kvm: KvmContext, place: EptPlace, gfn: Gfn, child: number): void {
  for (let index = 0; index < 512; index += 1) {
    putWords(kvm, { table: child, index }, smallSpte(place.spte, index));
  }
  kvm.raise({ kind: 'kvm_mmu_split_huge_page', gfn, spte: place.spte, level: LARGE_LEVEL, errno: 0 });
  setEntry(kvm, place, gfn - (gfn % 512), tableSpte(child));
}

/** handle_changed_spte: the one place an entry changes while it is linked. A table it led to goes with it. */
function setEntry(kvm: KvmContext, place: EptPlace, gfn: Gfn, spte: bigint): void {
  const { level, spte: old } = place;
  const gone =
    isPresent(old) && !isLarge(old) && level > 1 ? tablesBelow(kvm.state.ept, addressOf(old), level - 1) : [];
  kvm.raise({ kind: 'kvm_tdp_mmu_spte_changed', gfn, old_spte: old, new_spte: spte, level, as_id: 0 });
  clearTables(kvm, gone);
  putWords(kvm, place, spte);
  if (isWalkable(old)) kvm.guest.invalidateEpt();
}

type WordPlace = Pick<EptPlace, 'table' | 'index'>;

const addressOfPlace = ({ table, index }: WordPlace): number => table + index * 8;

function allocateTable(kvm: KvmContext, gfn: Gfn, level: number): number {
  const { ept } = kvm.state;
  const table = nextTable(ept);
  const fits = (table - EPT_POOL_BASE) / 4096 < ept.pages;
  invariant(fits, 'the EPT pool is large enough', { used: ept.used });
  const page = { mmu_valid_gen: vmOf(kvm).validGen, gfn, role: ROLE | level, root_count: 0, unsync: false };
  kvm.raise({ kind: 'kvm_mmu_get_page', ...page, created: true });
  return table;
}

/** The processor's copy of an entry. */
function putWords({ guest: { eptWords, eptWritten } }: KvmContext, { table, index }: WordPlace, spte: bigint): void {
  const word = eptWord(table, index);
  eptWords[word] = Number(spte & 0xffff_ffffn);
  eptWords[word + 1] = Number(spte >> 32n);
  // A checkpoint copies the pages written since the last.
  if (eptWritten !== undefined) eptWritten[word >>> 10] = 1;
}

/** The processor's copy of tables that were given back: a page of the pool is zero until it is used. */
function clearTables({ guest }: KvmContext, tables: readonly number[]): void {
  const { eptWords, eptWritten } = guest;
  for (const table of tables) {
    const first = eptWord(table, 0);
    eptWords.fill(0, first, first + 1024);
    if (eptWritten !== undefined) eptWritten[first >>> 10] = 1;
  }
  if (tables.length > 0) guest.invalidateEpt();
}
