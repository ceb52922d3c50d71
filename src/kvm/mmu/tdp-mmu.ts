import { invariant } from '../../base/invariant.ts';
import {
  EPT_DIRTY,
  EPT_LARGE,
  EPT_WRITE,
  EPTP_ACCESSED_DIRTY,
  EPTP_FOUR_LEVELS,
  EPTP_WRITE_BACK,
  EPT_POOL_BASE,
  eptAddress,
  eptEntry,
  eptIndex,
  eptWord,
} from '../../memory/ept-pool.ts';
import { hostPhysical } from '../../memory/host-physical.ts';
import { type KvmContext, REQ_LOAD_MMU_PGD, REQ_TLB_FLUSH, requestAll, vmOf } from '../context.ts';
import { KVM_MEM_READONLY } from '../ioctls.ts';
import type { MemslotState, VcpuState } from '../state.ts';
import { markDirty, slotOf } from './guest-memory.ts';
import {
  isMmioSpte,
  leafSpte,
  mmioGeneration,
  mmioSpte,
  type Spte,
  SPTE_MMU_PRESENT,
  SPTE_MMU_WRITABLE,
  tableSpte,
} from './spte.ts';

/** The outcome of a fault: enter the guest again, emulate the access, or give up. Linux RET_PF_*. */
export type PageFault = 'retry' | 'fixed' | 'emulate' | 'spurious';

/** Page-fault error code bits, as KVM makes them from an EPT violation's qualification. */
export const PFERR_PRESENT = 1;
export const PFERR_WRITE = 2;
export const PFERR_FETCH = 16;

const ROOT_LEVEL = 4;
const LARGE_LEVEL = 2;
const PFN_NOSLOT = 2 ** 52 - 1;
const RET_PF_FIXED = 5;

/** kvm_mmu_reload: make sure there is a root, and tell the VMCS. */
export function loadRoot(kvm: KvmContext): number {
  const pool = kvm.state.ept;
  if (pool.root === 0) pool.root = allocateTable(kvm);
  return pool.root + EPTP_WRITE_BACK + EPTP_FOUR_LEVELS + EPTP_ACCESSED_DIRTY;
}

/** kvm_tdp_page_fault: map the page, or find that the access must be emulated. */
export function handleTdpFault(kvm: KvmContext, vcpu: VcpuState, gpa: number, errorCode: number): PageFault {
  loadRoot(kvm);
  const write = (errorCode & PFERR_WRITE) !== 0;
  const gfn = Math.floor(gpa / 4096);
  if ((errorCode & PFERR_PRESENT) !== 0 && write && fastPageFault(kvm, vcpu, gpa, errorCode)) return 'fixed';
  const slot = slotOf(kvm, gfn);
  if (slot === undefined) return mapNoSlot(kvm, gfn);
  const readonly = (slot.flags & KVM_MEM_READONLY) !== 0;
  if (readonly && write) return 'emulate';
  return mapSlot(kvm, slot, gfn, write, readonly);
}

/** kvm_mmu_page_fault with PFERR_RSVD, Linux handle_mmio_page_fault: 'emulate' unless the entry is stale. */
export function handleMmioFault(kvm: KvmContext, gpa: number): PageFault {
  const { word, level } = walk(kvm, gpa);
  const words = kvm.guest.eptWords;
  if (level !== 1 || !isMmioSpte(words[word])) return 'retry';
  const generation = mmioGeneration(words[word], words[word + 1]);
  const current = vmOf(kvm).generation;
  kvm.host.raise({
    kind: 'check_mmio_spte',
    kvm_gen: current,
    spte_gen: generation,
    spte: eptEntry(words[word], words[word + 1]),
  });
  if (generation !== current) return 'retry';
  kvm.host.raise({ kind: 'handle_mmio_page_fault', addr: BigInt(gpa), gfn: Math.floor(gpa / 4096), access: 7 });
  return 'emulate';
}

/** kvm_mmu_zap_all_fast: a slot went away; every translation with it. */
export function zapAllFast(kvm: KvmContext): void {
  const vm = vmOf(kvm);
  const pool = kvm.state.ept;
  vm.validGen ^= 1;
  kvm.host.raise({ kind: 'kvm_mmu_zap_all_fast', mmu_valid_gen: vm.validGen, mmu_used_pages: pool.used });
  if (pool.root === 0) return;
  freeTable(kvm, pool.root, ROOT_LEVEL);
  pool.root = 0;
  requestAll(kvm, REQ_LOAD_MMU_PGD | REQ_TLB_FLUSH);
  kvm.guest.invalidateEpt();
}

/** Write-protect the mapped pages of a slot: all, or those with a bit in `mask` (one bit a page). */
export function writeProtectSlot(kvm: KvmContext, slot: MemslotState, mask: readonly number[] | undefined): void {
  if (kvm.state.ept.root === 0) return;
  let changed = false;
  for (let page = 0; page < slot.npages; ) {
    const gfn = slot.baseGfn + page;
    if (mask !== undefined && ((mask[page >> 5] >>> (page & 31)) & 1) === 0) {
      page += 1;
      continue;
    }
    const { word, level } = walk(kvm, gfn * 4096);
    changed = protect(kvm, word, gfn, level) || changed;
    const span = 512 ** (level - 1);
    page += span - (gfn % span);
  }
  if (changed) flush(kvm);
}

/** Entries used to translate `gpa`, root first; for debuggers. */
export function eptWalk(kvm: KvmContext, gpa: number): bigint[] {
  const entries: bigint[] = [];
  let table = kvm.state.ept.root;
  const words = kvm.guest.eptWords;
  for (let level = ROOT_LEVEL; level >= 1 && table !== 0; level -= 1) {
    const word = eptWord(table, eptIndex(gpa, level));
    entries.push(eptEntry(words[word], words[word + 1]));
    if ((words[word] & SPTE_MMU_PRESENT) === 0 || (words[word] & EPT_LARGE) !== 0) break;
    table = eptAddress(words[word], words[word + 1]);
  }
  return entries;
}

/** The deepest entry that translates `gpa`, present or not. */
function walk(kvm: KvmContext, gpa: number): { word: number; level: number } {
  const words = kvm.guest.eptWords;
  let table = kvm.state.ept.root;
  for (let level = ROOT_LEVEL; ; level -= 1) {
    const word = eptWord(table, eptIndex(gpa, level));
    const low = words[word];
    if (level === 1 || (low & SPTE_MMU_PRESENT) === 0 || (low & EPT_LARGE) !== 0) return { word, level };
    table = eptAddress(low, words[word + 1]);
  }
}

/** fast_page_fault: an entry that dirty logging write-protected becomes writable again. */
function fastPageFault(kvm: KvmContext, vcpu: VcpuState, gpa: number, errorCode: number): boolean {
  const { word, level } = walk(kvm, gpa);
  const words = kvm.guest.eptWords;
  const low = words[word];
  const high = words[word + 1];
  const gfn = Math.floor(gpa / 4096);
  const slot = slotOf(kvm, gfn);
  if (level !== 1 || (low & SPTE_MMU_PRESENT) === 0 || (high & SPTE_MMU_WRITABLE) === 0 || slot === undefined) {
    return false;
  }
  words[word] = (low | EPT_WRITE | EPT_DIRTY) >>> 0;
  noteWritten(kvm, word);
  markDirty(slot, gfn);
  kvm.host.raise({
    kind: 'fast_page_fault',
    vcpu_id: vcpu.index,
    cr2_or_gpa: BigInt(gpa),
    error_code: errorCode,
    sptep: entryAddress(word),
    old_spte: eptEntry(low, high),
    new_spte: eptEntry(words[word], high),
    ret: RET_PF_FIXED,
  });
  kvm.guest.invalidateEpt();
  return true;
}

function mapNoSlot(kvm: KvmContext, gfn: number): PageFault {
  kvm.host.raise({ kind: 'kvm_mmu_spte_requested', gfn, pfn: PFN_NOSLOT, level: 1 });
  const word = linkTables(kvm, gfn, 1);
  const { generation } = vmOf(kvm);
  setEntry(kvm, word, gfn, 1, mmioSpte(gfn, generation));
  kvm.host.raise({ kind: 'mark_mmio_spte', sptep: entryAddress(word), gfn, access: 7, gen: generation });
  return 'emulate';
}

function mapSlot(kvm: KvmContext, slot: MemslotState, gfn: number, write: boolean, readonly: boolean): PageFault {
  const level = mappingLevel(slot, gfn);
  const base = level === 1 ? gfn : gfn - (gfn % 512);
  const hpa = hostPhysical(slot.hva + (base - slot.baseGfn) * 4096);
  kvm.host.raise({
    kind: 'kvm_mmu_spte_requested',
    gfn,
    pfn: hostPhysical(slot.hva) / 4096 + gfn - slot.baseGfn,
    level,
  });
  const word = linkTables(kvm, gfn, level);
  // With dirty logging a page read first is mapped read-only, so that its first write is noticed.
  const writable = !readonly && (slot.dirty === undefined || write);
  const spte = leafSpte(hpa, level, !readonly, writable);
  const words = kvm.guest.eptWords;
  if (words[word] === spte.low && words[word + 1] === spte.high) return 'spurious';
  if (writable) markDirty(slot, gfn);
  setEntry(kvm, word, base, level, spte);
  kvm.host.raise({
    kind: 'kvm_mmu_set_spte',
    gfn: base,
    spte: eptEntry(spte.low, spte.high),
    sptep: entryAddress(word),
    level,
    r: true,
    x: true,
    u: -1,
  });
  return 'fixed';
}

/** 2 MiB when slot, alignment and logging allow it: Linux kvm_mmu_max_mapping_level. */
function mappingLevel(slot: MemslotState, gfn: number): number {
  const base = gfn - (gfn % 512);
  if (slot.dirty !== undefined || base < slot.baseGfn || base + 512 > slot.baseGfn + slot.npages) return 1;
  return (slot.hva / 4096 + base - slot.baseGfn) % 512 === 0 ? LARGE_LEVEL : 1;
}

/** Walk down to `goal`, making the tables that are missing. Returns the word of the entry at `goal`. */
function linkTables(kvm: KvmContext, gfn: number, goal: number): number {
  const words = kvm.guest.eptWords;
  let table = kvm.state.ept.root;
  for (let level = ROOT_LEVEL; ; level -= 1) {
    const word = eptWord(table, eptIndex(gfn * 4096, level));
    if (level === goal) {
      if ((words[word] & SPTE_MMU_PRESENT) !== 0 && goal > 1 && (words[word] & EPT_LARGE) === 0)
        dropTable(kvm, word, goal);
      return word;
    }
    if ((words[word] & SPTE_MMU_PRESENT) === 0) {
      const child = allocateTable(kvm);
      const span = 512 ** (level - 1);
      setEntry(kvm, word, gfn - (gfn % span), level, tableSpte(child));
    } else if ((words[word] & EPT_LARGE) !== 0) {
      splitLarge(kvm, word, gfn);
    }
    table = eptAddress(words[word], words[word + 1]);
  }
}

/** tdp_mmu_split_huge_page: 512 entries in place of one. */
function splitLarge(kvm: KvmContext, word: number, gfn: number): void {
  const words = kvm.guest.eptWords;
  const low = words[word];
  const high = words[word + 1];
  const child = allocateTable(kvm);
  const base = eptAddress(low, high);
  const flags = low & 0xfff & ~EPT_LARGE;
  for (let index = 0; index < 512; index += 1) {
    const hpa = base + index * 4096;
    const at = eptWord(child, index);
    words[at] = ((hpa >>> 0) | flags) >>> 0;
    words[at + 1] = high;
  }
  noteWritten(kvm, eptWord(child, 0));
  kvm.host.raise({
    kind: 'kvm_mmu_split_huge_page',
    gfn,
    spte: eptEntry(low, high),
    level: LARGE_LEVEL,
    errno: 0,
  });
  setEntry(kvm, word, gfn - (gfn % 512), LARGE_LEVEL, tableSpte(child));
}

function dropTable(kvm: KvmContext, word: number, level: number): void {
  const words = kvm.guest.eptWords;
  freeTable(kvm, eptAddress(words[word], words[word + 1]), level - 1);
  kvm.guest.invalidateEpt();
}

/** handle_changed_spte: the one place an entry changes while it is linked. */
function setEntry(kvm: KvmContext, word: number, gfn: number, level: number, spte: Spte): void {
  const words = kvm.guest.eptWords;
  const oldLow = words[word];
  const oldHigh = words[word + 1];
  words[word] = spte.low;
  words[word + 1] = spte.high;
  noteWritten(kvm, word);
  kvm.host.raise({
    kind: 'kvm_tdp_mmu_spte_changed',
    gfn,
    old_spte: eptEntry(oldLow, oldHigh),
    new_spte: eptEntry(spte.low, spte.high),
    level,
    as_id: 0,
  });
  if ((oldLow & 7) !== 0) kvm.guest.invalidateEpt();
}

function protect(kvm: KvmContext, word: number, gfn: number, level: number): boolean {
  const words = kvm.guest.eptWords;
  const low = words[word];
  if ((low & SPTE_MMU_PRESENT) === 0 || (low & EPT_WRITE) === 0) return false;
  setEntry(kvm, word, gfn, level, { low: (low & ~EPT_WRITE) >>> 0, high: words[word + 1] });
  return true;
}

function flush(kvm: KvmContext): void {
  requestAll(kvm, REQ_TLB_FLUSH);
  kvm.guest.invalidateEpt();
}

const entryAddress = (word: number): number => EPT_POOL_BASE + word * 4;

function allocateTable(kvm: KvmContext): number {
  const pool = kvm.state.ept;
  pool.used += 1;
  const reused = pool.free.pop();
  if (reused !== undefined) return reused;
  invariant((pool.next + 1) * 1024 <= kvm.guest.eptWords.length, 'the EPT pool is large enough', { used: pool.used });
  const page = EPT_POOL_BASE + pool.next * 4096;
  pool.next += 1;
  return page;
}

/** A checkpoint copies the pages written since the last. */
function noteWritten({ guest: { eptWritten } }: KvmContext, word: number): void {
  if (eptWritten !== undefined) eptWritten[word >>> 10] = 1;
}

/** Give a table and all below it back, zeroed: a page of the pool is zero until it is used. */
function freeTable(kvm: KvmContext, table: number, level: number): void {
  const words = kvm.guest.eptWords;
  const first = eptWord(table, 0);
  for (let word = first; level > 1 && word < first + 1024; word += 2) {
    const low = words[word];
    if ((low & SPTE_MMU_PRESENT) !== 0 && (low & EPT_LARGE) === 0)
      freeTable(kvm, eptAddress(low, words[word + 1]), level - 1);
  }
  words.fill(0, first, first + 1024);
  noteWritten(kvm, first);
  kvm.state.ept.free.push(table);
  kvm.state.ept.used -= 1;
}
