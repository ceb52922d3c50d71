import type { Gfn, Hpa } from '../../base/units.ts';
import {
  EPT_ACCESSED,
  EPT_DIRTY,
  EPT_EXECUTE,
  EPT_IGNORE_PAT,
  EPT_LARGE,
  EPT_MEMORY_TYPE_SHIFT,
  EPT_READ,
  EPT_WRITE,
} from '../../memory/ept-pool.ts';
import { PTE_FRAME } from '../../x86/paging.ts';

/** Software bits of KVM's entries. Linux arch/x86/kvm/mmu/spte.h. */
const MMU_PRESENT = 0x800n;
const HOST_WRITABLE = 1n << 57n;
const MMU_WRITABLE = 1n << 58n;
/** Bit 63: no virtualization exception. */
const SUPPRESS_VE = 1n << 63n;

const WRITE_BACK = 6 << EPT_MEMORY_TYPE_SHIFT;
/** Write and execute without read: hardware reports a misconfiguration, KVM reads MMIO. */
const MMIO_VALUE = BigInt(EPT_WRITE | EPT_EXECUTE);
const LARGE = BigInt(EPT_LARGE);
const WRITE = BigInt(EPT_WRITE);

/** is_shadow_present_pte. */
export const isPresent = (spte: bigint): boolean => (spte & MMU_PRESENT) !== 0n;

/** A present entry that maps memory itself rather than leading to a table. */
export const isLarge = (spte: bigint): boolean => (spte & LARGE) !== 0n;

/** What hardware walks through: any access is allowed. */
export const isWalkable = (spte: bigint): boolean => (spte & 7n) !== 0n;

export const isWritable = (spte: bigint): boolean => (spte & WRITE) !== 0n;

/** KVM may make the entry writable without asking whoever tracks the page. */
export const isMmuWritable = (spte: bigint): boolean => (spte & MMU_WRITABLE) !== 0n;

/** Physical address an entry holds. */
export const addressOf = (spte: bigint): number => Number(spte & PTE_FRAME);

/** make_nonleaf_spte: an entry that leads to the table at `hpa`. */
export function tableSpte(hpa: Hpa): bigint {
  const flags = EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_ACCESSED;
  return BigInt(hpa) | MMU_PRESENT | SUPPRESS_VE | BigInt(flags);
}

/** make_spte: a leaf that maps the page (or 2 MiB) at `hpa`. */
export function leafSpte(hpa: Hpa, level: number, hostWritable: boolean, writable: boolean): bigint {
  const flags = EPT_READ | EPT_EXECUTE | WRITE_BACK | EPT_IGNORE_PAT | EPT_ACCESSED;
  let spte = BigInt(hpa) | MMU_PRESENT | SUPPRESS_VE | BigInt(flags);
  if (level > 1) spte |= LARGE;
  if (hostWritable) spte |= HOST_WRITABLE | MMU_WRITABLE;
  return writable ? madeWritable(spte) : spte;
}

/** The entry with writes allowed, and noted as dirty. */
export const madeWritable = (spte: bigint): bigint => spte | BigInt(EPT_WRITE | EPT_DIRTY);

export const writeProtected = (spte: bigint): bigint => spte & ~WRITE;

/** make_small_spte: of the 512 entries that take a large one's place, this one's. */
export const smallSpte = (large: bigint, index: number): bigint => (large & ~LARGE) + BigInt(index * 4096);

/** make_mmio_spte: generation bits 7:0 lie in 10:3, bits 18:8 in 62:52. */
export function mmioSpte(gfn: Gfn, generation: number): bigint {
  const low = BigInt(generation & 0xff) << 3n;
  const high = BigInt(generation >>> 8) << 52n;
  return BigInt(gfn * 4096) | MMIO_VALUE | SUPPRESS_VE | low | high;
}

/** is_mmio_spte. */
export const isMmioSpte = (spte: bigint): boolean => (spte & 7n) === MMIO_VALUE && !isPresent(spte);

/** get_mmio_spte_generation. */
export function mmioGeneration(spte: bigint): number {
  return Number((spte >> 3n) & 0xffn) | (Number((spte >> 52n) & 0x7ffn) << 8);
}
