import * as L from '../state/layout.ts';
import type { EngineMemory } from '../state/memory.ts';
import { GuestWalk, type PagingMode, type Want } from './guest-walk.ts';
import { NOTICED, PAGE } from './page-flags.ts';
import { SecondLevel } from './second-level.ts';
import { CR0, CR4, EFER } from '../../x86/registers.ts';

/** More than one TLB entry lets writes to the page through. */
const SEVERAL = -1;
const CONTEXT_LAST = 4094;

/**
 * The cached translations and what keeps them true. A context is everything a translation depends on besides the page
 * tables' bytes; those are watched, so an entry never outlives the tables it came from.
 */
export abstract class Tlb {
  readonly memory: EngineMemory;
  readonly second: SecondLevel;
  /** Per page of host memory: see PAGE. */
  readonly flags: Uint8Array;
  readonly guest: GuestWalk;
  readonly mode: PagingMode = {
    paging: false,
    pae: false,
    long: false,
    pse: false,
    writeProtect: false,
    smep: false,
    smap: false,
    noExecute: false,
    physicalBits: 39,
  };
  /** CPL 3. */
  user = false;
  /** Which decoding the code TLB is for; see code/mode.ts. */
  codeMode = 0;
  private readonly contexts = new Map<string, number>();
  private readonly contextCache = new Map<number, number>();
  private nextContext = 1;
  /** The context of cached translations, in the low 12 bits of their tags. */
  private contextNumber = -1;
  private readonly writeCachedPages: number[] = [];
  /** The one TLB entry that lets writes to a page through, or SEVERAL. */
  private readonly writeEntry: Int32Array;
  /** Times everything was forgotten: what a walk before the last one found is not watched any more. */
  flushes = 0;
  /** Entries taken for another translation since the start, for statistics. */
  fills = 0;

  constructor(memory: EngineMemory, eptWords: Uint32Array) {
    this.memory = memory;
    this.flags = new Uint8Array(memory.hostBytes >>> 12);
    this.writeEntry = new Int32Array(memory.hostBytes >>> 12);
    this.second = new SecondLevel(eptWords, memory.hostBytes);
    this.guest = new GuestWalk(memory, this.second, this.flags);
    this.wipe();
  }

  /** From now on the handlers look translations up in this context. */
  protected abstract useContext(context: bigint): void;

  /** Read the control registers again. Call after any change of CR0, CR3, CR4, EFER, CPL, AC or code mode. */
  refresh(): void {
    const { memory, mode } = this;
    const cr0 = memory.read32(L.CR0);
    const cr4 = memory.read32(L.CR4);
    const efer = memory.read32(L.EFER);
    mode.paging = (cr0 & CR0.PG) !== 0;
    mode.writeProtect = (cr0 & CR0.WP) !== 0;
    mode.pse = (cr4 & CR4.PSE) !== 0;
    mode.pae = (cr4 & CR4.PAE) !== 0;
    mode.smep = (cr4 & CR4.SMEP) !== 0;
    mode.smap = (cr4 & CR4.SMAP) !== 0;
    mode.long = (efer & EFER.LMA) !== 0;
    mode.noExecute = (efer & EFER.NX) !== 0;
    this.contextCache.clear();
    this.select();
  }

  /** CPL, AC or code mode changed, nothing else. */
  select(): void {
    this.user = this.memory.read32(L.CPL) === 3;
    const ac = this.mode.smap && !this.user ? (this.memory.read32(L.FLAGS_REST) >>> 18) & 1 : 0;
    const key = (this.codeMode << 2) | (ac << 1) | (this.user ? 1 : 0);
    let id = this.contextCache.get(key);
    if (id === undefined) {
      id = this.contextFor(key);
      this.contextCache.set(key, id);
    }
    if (this.contextNumber !== id) {
      this.contextNumber = id;
      this.useContext(BigInt(id));
    }
  }

  private contextFor(key: number): number {
    const { mode, memory } = this;
    let tables = this.second.pointer;
    if (mode.paging) {
      const bits =
        (mode.pae ? 1 : 0) |
        (mode.long ? 2 : 0) |
        (mode.pse ? 4 : 0) |
        (mode.writeProtect ? 8 : 0) |
        (mode.smep ? 16 : 0) |
        (mode.smap ? 32 : 0) |
        (mode.noExecute ? 64 : 0);
      tables += `${memory.read32(L.CR3 + 4)}.${memory.read32(L.CR3)}.${bits}`;
      // PAE translations also depend on the loaded PDPTEs.
      if (mode.pae && !mode.long) for (let i = 0; i < 8; i++) tables += `.${memory.read32(L.PDPTE + 4 * i)}`;
    }
    const name = `${tables}/${key}`;
    const known = this.contexts.get(name);
    if (known !== undefined) return known;
    if (this.nextContext > CONTEXT_LAST) this.wipe();
    const id = this.nextContext++;
    this.contexts.set(name, id);
    return id;
  }

  /** Forget every cached translation, at once and cheaply: old contexts are never used again. */
  flush(): void {
    this.flushes++;
    this.contexts.clear();
    this.contextCache.clear();
    this.guest.unwatchAll();
    this.clearWriteCached();
    if (this.nextContext > CONTEXT_LAST - 64) this.wipe();
    this.select();
  }

  /** Pages that have just become page tables must no longer be written unseen. True: all was flushed, walk again. */
  protected settleConflicts(): boolean {
    if (this.guest.marksAddress) {
      this.flush();
      return true;
    }
    const pages = this.guest.conflicts.splice(0);
    if (pages.some((page) => this.writeEntry[page] === SEVERAL)) {
      this.flush();
      return true;
    }
    for (const page of pages) this.dropWriteCached(page);
    return false;
  }

  private clearWriteCached(): void {
    for (const page of this.writeCachedPages) this.flags[page] = (this.flags[page] as number) & ~PAGE.writeCached;
    this.writeCachedPages.length = 0;
  }

  /** Empty the TLB itself. */
  private wipe(): void {
    this.contexts.clear();
    this.contextCache.clear();
    this.nextContext = 1;
    this.contextNumber = -1;
    const words = L.TLB_SIZE / 8;
    const start = L.TLB / 8;
    for (let at = start; at < start + words; at += 4) {
      this.memory.u64[at] = 0xffff_ffff_ffff_ffffn;
      this.memory.u64[at + 1] = 0xffff_ffff_ffff_ffffn;
      this.memory.u64[at + 2] = 0xffff_ffff_ffff_ffffn;
    }
  }

  /** Forget one page of a 2 MiB region, whatever the context: its TLB entry does not depend on it. */
  protected dropLinear(region: number, index: number): void {
    const low = ((region % 2048) * 0x200000 + index * 4096) | 0;
    const high = Math.floor(region / 2048) | 0;
    const entry = this.entryFor(low, high);
    const { u32 } = this.memory;
    u32[(entry + L.TAG_READ) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_WRITE) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_EXECUTE) >>> 2] = 0xffffffff;
  }

  /** Let data accesses go straight to their page. */
  protected fill(low: number, high: number, host: number, want: Want): void {
    const entry = this.entryFor(low, high);
    const page = host >>> 12;
    this.claim(entry, low, high);
    this.tag(entry + L.TAG_READ, low, high);
    if (this.mayCacheWrite(page, want)) {
      this.tag(entry + L.TAG_WRITE, low, high);
      this.noteWriteCached(page, entry);
    }
    this.memory.i32[(entry + L.TLB_ADDEND) >>> 2] = (L.HOST_MEMORY + host - (low & 0xfffff000)) | 0;
  }

  /** Writes may go through unseen: nothing about the page or its entries is left to be noticed. */
  private mayCacheWrite(page: number, want: Want): boolean {
    const { guest, mode } = this;
    const flags = this.flags[page] as number;
    if (!guest.dirty || (flags & NOTICED) !== 0) return false;
    if (want.write) return true;
    // A read found a page whose next write would change nothing but its bytes.
    if ((flags & PAGE.dirty) === 0) return false;
    if (!guest.writable && (want.user || mode.writeProtect)) return false;
    return this.second.writable;
  }

  private noteWriteCached(page: number, entry: number): void {
    const flags = this.flags[page] as number;
    if ((flags & PAGE.writeCached) === 0) {
      this.flags[page] = flags | PAGE.writeCached;
      this.writeCachedPages.push(page);
      this.writeEntry[page] = entry;
    } else if (this.writeEntry[page] !== entry) this.writeEntry[page] = SEVERAL;
  }

  /** Stop letting writes to a page through unseen. */
  private dropWriteCached(page: number): void {
    const entry = this.writeEntry[page] as number;
    if (entry === SEVERAL) {
      this.flush();
      return;
    }
    this.memory.u32[(entry + L.TAG_WRITE) >>> 2] = 0xffffffff;
    this.flags[page] = (this.flags[page] as number) & ~PAGE.writeCached;
  }

  private tag(at: number, low: number, high: number): void {
    const { u32 } = this.memory;
    u32[at >>> 2] = (low & 0xfffff000) | this.contextNumber;
    u32[(at >>> 2) + 1] = high;
  }

  private holds(at: number, low: number, high: number): boolean {
    const { i32 } = this.memory;
    return i32[at >>> 2] === ((low & 0xfffff000) | this.contextNumber) && i32[(at >>> 2) + 1] === (high | 0);
  }

  /** Empty an entry that belongs to another page or context. */
  private claim(entry: number, low: number, high: number): void {
    for (const tag of [L.TAG_READ, L.TAG_WRITE, L.TAG_EXECUTE]) if (this.holds(entry + tag, low, high)) return;
    this.fills++;
    const { u32 } = this.memory;
    u32[(entry + L.TAG_READ) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_WRITE) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_EXECUTE) >>> 2] = 0xffffffff;
  }

  /**
   * Engine address of the TLB entry for a linear address, as the handlers find it. They take the entry of the first
   * byte and compare its tag with the last one's, so two pages in a row may never share one: sums differ by 1 or 2.
   */
  entryFor(low: number, high: number): number {
    const page = ((low >>> 12) | (high << 20)) >>> 0;
    const hashed = (page + (page >>> L.TLB_BITS)) & ((1 << L.TLB_BITS) - 1);
    return L.TLB + hashed * L.TLB_ENTRY;
  }

  /** Let instruction fetches from this page go straight to its code table. */
  fillExecute(low: number, high: number, host: number, codeTable: number): void {
    const entry = this.entryFor(low, high);
    const { i32 } = this.memory;
    this.claim(entry, low, high);
    this.tag(entry + L.TAG_EXECUTE, low, high);
    i32[(entry + L.TLB_ADDEND) >>> 2] = (L.HOST_MEMORY + host - (low & 0xfffff000)) | 0;
    i32[(entry + L.TLB_CODE) >>> 2] = codeTable;
  }

  /** A page now holds decoded code: writes to it must be noticed. */
  watchCode(hostPage: number): void {
    const flags = this.flags[hostPage] as number;
    if ((flags & PAGE.code) !== 0) return;
    this.flags[hostPage] = flags | PAGE.code;
    if ((flags & PAGE.writeCached) !== 0) this.dropWriteCached(hostPage);
  }

  /** No decoded code is left of a page. */
  unwatchCode(hostPage: number): void {
    this.flags[hostPage] = (this.flags[hostPage] as number) & ~PAGE.code;
  }
}
