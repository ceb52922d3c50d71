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

/** An EPT entry as two 32-bit words. */
export interface Spte {
  low: number;
  high: number;
}

/** Software bits of KVM's entries. Linux arch/x86/kvm/mmu/spte.h. */
export const SPTE_MMU_PRESENT = 0x800;
/** Bits 57 and 58, in the high word. */
export const SPTE_HOST_WRITABLE = 1 << 25;
export const SPTE_MMU_WRITABLE = 1 << 26;
/** Bit 63: no virtualization exception. */
const SUPPRESS_VE = 0x8000_0000;

const WRITE_BACK = 6 << EPT_MEMORY_TYPE_SHIFT;
/** Write and execute without read: hardware reports a misconfiguration, KVM reads MMIO. */
const MMIO_VALUE = EPT_WRITE | EPT_EXECUTE;

const highAddress = (hpa: number): number => Math.floor(hpa / 0x1_0000_0000) & 0xfffff;

/** make_nonleaf_spte: an entry that leads to the table at `hpa`. */
export function tableSpte(hpa: number): Spte {
  const low = (hpa >>> 0) | SPTE_MMU_PRESENT | EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_ACCESSED;
  return { low: low >>> 0, high: (highAddress(hpa) | SUPPRESS_VE) >>> 0 };
}

/** make_spte: a leaf that maps the page (or 2 MiB) at `hpa`. */
export function leafSpte(hpa: number, level: number, hostWritable: boolean, writable: boolean): Spte {
  let low = (hpa >>> 0) | SPTE_MMU_PRESENT | EPT_READ | EPT_EXECUTE | WRITE_BACK | EPT_IGNORE_PAT | EPT_ACCESSED;
  if (level > 1) low |= EPT_LARGE;
  let high = highAddress(hpa) | SUPPRESS_VE;
  if (hostWritable) high |= SPTE_HOST_WRITABLE | SPTE_MMU_WRITABLE;
  if (writable) low |= EPT_WRITE | EPT_DIRTY;
  return { low: low >>> 0, high: high >>> 0 };
}

/** make_mmio_spte: generation bits 7:0 lie in 10:3, bits 18:8 in 62:52. */
export function mmioSpte(gfn: number, generation: number): Spte {
  const gpa = gfn * 4096;
  const low = (gpa >>> 0) | MMIO_VALUE | ((generation & 0xff) << 3);
  const high = highAddress(gpa) | SUPPRESS_VE | ((generation >>> 8) << 20);
  return { low: low >>> 0, high: high >>> 0 };
}

/** is_mmio_spte. */
export function isMmioSpte(low: number): boolean {
  return (low & 7) === MMIO_VALUE && (low & SPTE_MMU_PRESENT) === 0;
}

/** get_mmio_spte_generation. */
export function mmioGeneration(low: number, high: number): number {
  return ((low >>> 3) & 0xff) | (((high >>> 20) & 0x7ff) << 8);
}
