import type { Gfn, Gpa, Hva } from '../../base/units.ts';
import { EPT_ACCESSED, EPT_DIRTY, EPT_LARGE, EPT_PAGE_WORDS, EPT_POOL_BASE } from '../../memory/ept-pool.ts';
import { EPTP } from '../../x86/controls.ts';
import { HOST_PHYSICAL_BASE } from '../../memory/host-physical.ts';
import { GfnCaches } from './gfn-cache.ts';
import { PTE_FRAME } from '../../x86/paging.ts';

/** Kinds of access, as bits 2:0 of an EPT violation's qualification. SDM Vol. 3, Table 28-7. */
export const EPT_ACCESS_KIND = { read: 1, write: 2, execute: 4 } as const;

/** Set in a word of a gfn cache, beside the access that is allowed; the page of host memory is above them. */
const CACHED = 8;

/**
 * The hypervisor's half of a translation: guest-physical to host memory through EPT.
 * With EPT off (a bare engine in tests) guest-physical is host-virtual.
 */
export class SecondLevel {
  /** EPT pages, see memory/ept-pool.ts. */
  readonly words: Uint32Array;
  /** By EPT page: written since somebody last looked. */
  readonly written: Uint8Array;
  /** EPTP of the current VMCS; 0n: EPT off. */
  private root = 0;
  private accessedDirty = false;
  /** A walk for people: it sets no accessed and dirty flags, and nothing is kept of it. */
  private quiet = false;
  private readonly hostBytes: number;
  /** What was found through each of the last roots; derived, dropped by `forget`. */
  private readonly caches = new GfnCaches();
  private cache = this.caches.of(0);
  /** Entered into the caches since the start, for statistics. */
  fills = 0;

  /** While KVM emulates, memory goes by its slots: host-virtual address, or -1 for memory-mapped. */
  slots: ((gpa: Gpa, write: boolean) => Hva) | undefined;

  /** The last page found may be written without setting a dirty flag. */
  writable = false;

  // What the last failed walk found.
  misconfigured = false;
  /** Bits 5:3 of the qualification: what the entries allowed. */
  allowed = 0;

  constructor(words: Uint32Array, hostBytes: number) {
    this.words = words;
    this.written = new Uint8Array(Math.ceil(words.length / EPT_PAGE_WORDS));
    this.hostBytes = hostBytes;
  }

  setPointer(eptPointer: bigint): void {
    const root = Number(eptPointer & PTE_FRAME);
    const accessedDirty = (eptPointer & BigInt(EPTP.ACCESSED_DIRTY)) !== 0n;
    if (root === this.root && accessedDirty === this.accessedDirty) return;
    this.root = root;
    this.accessedDirty = accessedDirty;
    // Roots are aligned: what is found with accessed and dirty flags is told apart by the lowest bit.
    this.cache = this.caches.of(accessedDirty ? root + 1 : root);
  }

  /** What it goes by, as a part of a name; empty when EPT is off. */
  get pointer(): string {
    return this.root === 0 ? '' : `${this.root}${this.accessedDirty ? 'a' : ''}:`;
  }

  /** An entry changed that was present, in whatever tables. */
  forget(): void {
    this.caches.forget();
  }

  /** Host-virtual address of the page holding `gpa`, or -1 when the access is not allowed. */
  page(gpa: Gpa, access: number): number {
    if (this.slots !== undefined) return this.bySlot(gpa, access);
    const gfn = Math.floor(gpa / 4096);
    const hit = this.cache.get(gfn);
    if ((hit & (CACHED | access)) === (CACHED | access)) {
      this.writable = (hit & EPT_ACCESS_KIND.write) !== 0;
      return (hit >>> 4) * 4096;
    }
    return this.walk(gpa, gfn, access);
  }

  /** The same for a read that leaves no trace. */
  peek(gpa: Gpa): number {
    this.quiet = true;
    const page = this.page(gpa, EPT_ACCESS_KIND.read);
    this.quiet = false;
    return page;
  }

  /** Whether an entry of the guest's page tables can have flags set. KVM's emulator, unlike EPT, writes only then. */
  mayMark(gpa: Gpa): boolean {
    return this.slots === undefined || this.slots(gpa, true) >= 0;
  }

  private bySlot(gpa: Gpa, access: number): number {
    this.misconfigured = false;
    this.allowed = 0;
    const hva = this.slots?.(gpa, (access & EPT_ACCESS_KIND.write) !== 0) ?? -1;
    return hva < 0 ? -1 : hva - (hva % 4096);
  }

  private walk(gpa: Gpa, gfn: Gfn, access: number): number {
    this.misconfigured = false;
    if (this.root === 0) {
      this.allowed = 0;
      this.writable = true;
      const page = gfn * 4096;
      return page < this.hostBytes ? page : -1;
    }
    let table = this.root;
    let allowed = 7;
    for (let level = 4; ; level--) {
      const word =
        ((table - EPT_POOL_BASE) / 4096) * EPT_PAGE_WORDS + (Math.floor(gpa / 2 ** (3 + 9 * level)) % 512) * 2;
      const low = this.words[word] as number;
      const high = this.words[word + 1] as number;
      if ((low & 7) === 0) return this.refuse(0);
      if (isMisconfigured(low, high, level)) {
        this.misconfigured = true;
        return -1;
      }
      allowed &= low & 7;
      const leaf = level === 1 || (low & EPT_LARGE) !== 0;
      if (!leaf) {
        if (this.accessedDirty && (low & EPT_ACCESSED) === 0) this.set(word, low | EPT_ACCESSED);
        table = (high & 0xfffff) * 0x1_0000_0000 + ((low & 0xfffff000) >>> 0);
        continue;
      }
      if ((allowed & access) !== access) return this.refuse(allowed);
      return this.leaf({ word, low, high, level, allowed, access, gpa, gfn });
    }
  }

  private set(word: number, low: number): void {
    if (this.quiet) return;
    this.words[word] = low;
    this.written[Math.floor(word / EPT_PAGE_WORDS)] = 1;
  }

  private refuse(allowed: number): number {
    this.allowed = allowed;
    return -1;
  }

  private leaf(at: {
    word: number;
    low: number;
    high: number;
    level: number;
    allowed: number;
    access: number;
    gpa: Gpa;
    gfn: Gfn;
  }): number {
    let { low, allowed } = at;
    if (this.accessedDirty) {
      low |= EPT_ACCESSED | ((at.access & EPT_ACCESS_KIND.write) !== 0 ? EPT_DIRTY : 0);
      if (low !== at.low) this.set(at.word, low);
      // Until the dirty bit is set a write must come here to set it.
      if ((low & EPT_DIRTY) === 0) allowed &= ~EPT_ACCESS_KIND.write;
    }
    this.writable = (allowed & EPT_ACCESS_KIND.write) !== 0;
    const span = at.level === 1 ? 4096 : 512 ** (at.level - 1) * 4096;
    const base = (at.high & 0xfffff) * 0x1_0000_0000 + ((low & 0xfffff000) >>> 0);
    const frame = base - (base % span) + (at.gpa % span);
    const hostPage = Math.floor((frame - HOST_PHYSICAL_BASE) / 4096);
    if (!this.quiet) {
      this.fills += 1;
      this.cache.set(at.gfn, (hostPage << 4) | CACHED | allowed);
    }
    return hostPage * 4096;
  }
}

/** Reserved combinations: writable or executable-and-writable without read, reserved bits. SDM Vol. 3, 29.3.3.1. */
function isMisconfigured(low: number, high: number, level: number): boolean {
  const access = low & 7;
  if (access === 2 || access === 6) return true;
  if ((high & 0x000f_f000) !== 0 && (high & 0x000f_fff0) > 0x000f_fff0) return true;
  if (level === 4) return (low & 0xf8) !== 0;
  const leaf = level === 1 || (low & EPT_LARGE) !== 0;
  if (!leaf) return (low & 0x78) !== 0;
  const memoryType = (low >>> 3) & 7;
  if (memoryType === 2 || memoryType === 3 || memoryType === 7) return true;
  if (level === 3) return (low & 0x3ffff000) !== 0;
  return level === 2 && (low & 0x001ff000) !== 0;
}
