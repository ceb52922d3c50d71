import type { VmExit } from '../../kvm/guest.ts';
import { ACCESS } from '../builder.ts';
import * as L from '../layout.ts';
import type { EngineMemory } from '../memory.ts';
import { GuestWalk, NOT_LEAF, type PagingMode, type Want } from './guest-walk.ts';
import { PAGE } from './page-flags.ts';
import { EPT_ACCESS_KIND, SecondLevel } from './second-level.ts';

/** What the MMU tells the processor when an access cannot complete. */
export interface MmuClient {
  pageFault(low: number, high: number, errorCode: number): void;
  /** Non-canonical address: #GP(0), or #SS(0) for the stack. */
  nonCanonical(): void;
  exit(exit: VmExit): void;
  /** KVM's emulator reads memory-mapped data that is not at hand yet. */
  needsMmio(gpa: number, length: number): void;
  /** A write is about to change bytes of a page that holds decoded code. */
  codeWritten(hostPage: number, offset: number, length: number): void;
  setContext(context: bigint): void;
}

interface Piece {
  /** Engine address, or -1 for memory-mapped. */
  host: number;
  gpa: number;
  from: number;
  length: number;
}

/** More than one TLB entry lets writes to the page through. */
const SEVERAL = -1;
const CONTEXT_LAST = 4094;

/** The soft MMU: TLB, two-dimensional walks, write watching, page-crossing and memory-mapped accesses. */
export class Mmu {
  readonly second: SecondLevel;
  readonly flags: Uint8Array;
  readonly guest: GuestWalk;
  readonly mode: PagingMode = {
    paging: false, pae: false, long: false, pse: false, writeProtect: false,
    smep: false, smap: false, noExecute: false, physicalBits: 39,
  };
  /** CPL 3. */
  user = false;
  /** Which decoding the code TLB is for; see code/mode.ts. */
  codeMode = 0;

  /** MMIO reads at hand while KVM emulates; undefined: memory-mapped accesses exit. */
  mmioReads: readonly { gpa: number; bytes: Uint8Array }[] | undefined;
  mmioWrites: { gpa: number; bytes: Uint8Array }[] = [];
  private mmioReadsUsed = 0;

  private readonly memory: EngineMemory;
  private readonly client: MmuClient;
  private readonly contexts = new Map<string, number>();
  private readonly contextCache = new Map<number, number>();
  private nextContext = 1;
  /** The context of cached translations, in the low 12 bits of their tags. */
  private contextNumber = -1;
  private pending: Piece[] = [];
  private readonly want: Want = { write: false, fetch: false, user: false, implicit: false, quiet: false };
  /** Set by a debugger: linear pages whose accesses must always come here. */
  watchedPages: ReadonlySet<string> | undefined;
  /** Set by a debugger: called for every access on a watched page. */
  onWatched: ((low: number, high: number, size: number, access: number) => void) | undefined;

  constructor(memory: EngineMemory, eptWords: Uint32Array, client: MmuClient) {
    this.memory = memory;
    this.client = client;
    this.flags = new Uint8Array(memory.hostBytes >>> 12);
    this.writeEntry = new Int32Array(memory.hostBytes >>> 12);
    this.second = new SecondLevel(eptWords, memory.hostBytes);
    this.guest = new GuestWalk(memory, this.second, this.flags);
    this.wipe();
  }

  /** Read the control registers again. Call after any change of CR0, CR3, CR4, EFER, CPL, AC or code mode. */
  refresh(): void {
    const { memory, mode } = this;
    const cr0 = memory.read32(L.CR0);
    const cr4 = memory.read32(L.CR4);
    const efer = memory.read32(L.EFER);
    mode.paging = (cr0 & 0x80000000) !== 0;
    mode.writeProtect = (cr0 & 0x10000) !== 0;
    mode.pse = (cr4 & 0x10) !== 0;
    mode.pae = (cr4 & 0x20) !== 0;
    mode.smep = (cr4 & 0x100000) !== 0;
    mode.smap = (cr4 & 0x200000) !== 0;
    mode.long = (efer & 0x400) !== 0;
    mode.noExecute = (efer & 0x800) !== 0;
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
      this.client.setContext(BigInt(id));
    }
  }

  private contextFor(key: number): number {
    const { mode, memory } = this;
    let tables = '';
    if (mode.paging) {
      const bits =
        (mode.pae ? 1 : 0) | (mode.long ? 2 : 0) | (mode.pse ? 4 : 0) | (mode.writeProtect ? 8 : 0) |
        (mode.smep ? 16 : 0) | (mode.smap ? 32 : 0) | (mode.noExecute ? 64 : 0);
      tables = `${memory.read32(L.CR3 + 4)}.${memory.read32(L.CR3)}.${bits}`;
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
    this.contexts.clear();
    this.contextCache.clear();
    this.guest.unwatchAll();
    this.clearWriteCached();
    if (this.nextContext > CONTEXT_LAST - 64) this.wipe();
    this.select();
  }

  private readonly writeCachedPages: number[] = [];
  /** The one TLB entry that lets writes to a page through, or SEVERAL. */
  private readonly writeEntry: Int32Array;

  /** Pages that have just become page tables must no longer be written unseen. True: all was flushed, walk again. */
  private settleConflicts(): boolean {
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

  /** The handlers' slow path. Returns an engine address, or 0 after telling the client why not. */
  translate(low: number, high: number, wanted: number): number {
    const size = wanted & 0xff;
    const access = wanted >>> 8;
    const offset = low & 0xfff;
    if (this.watchedPages !== undefined) this.noticeWatched(low, high, size, access);
    if (offset + size <= 4096) return this.inOnePage(low, high, size, access);
    return this.acrossPages(low, high, size, access);
  }

  private inOnePage(low: number, high: number, size: number, access: number): number {
    const page = this.page(low, high, size, access);
    if (page >= 0) {
      const address = L.HOST_MEMORY + page + (low & 0xfff);
      if (access === ACCESS.read || ((this.flags[page >>> 12] as number) & (PAGE.code | PAGE.table)) === 0) return address;
      this.memory.u8.copyWithin(L.BOUNCE, address, address + size);
      this.pending = [{ host: address, gpa: 0, from: 0, length: size }];
      return L.BOUNCE;
    }
    if (page === MMIO) return this.memoryMapped(this.guest.gpa, size, access, 0) ? L.BOUNCE : 0;
    return 0;
  }

  private acrossPages(low: number, high: number, size: number, access: number): number {
    const first = 4096 - (low & 0xfff);
    const nextLow = (low + first) >>> 0;
    const nextHigh = nextLow < (low >>> 0) && this.mode.long ? (high + 1) >>> 0 : high;
    const pageA = this.page(low, high, first, access);
    const gpaA = this.guest.gpa;
    if (pageA < 0 && pageA !== MMIO) return 0;
    const pageB = this.page(nextLow, nextHigh, size - first, access);
    const gpaB = this.guest.gpa;
    if (pageB < 0 && pageB !== MMIO) return 0;
    this.pending = [];
    const parts = [
      { page: pageA, gpa: gpaA, offset: low & 0xfff, from: 0, length: first },
      { page: pageB, gpa: gpaB, offset: 0, from: first, length: size - first },
    ];
    for (const part of parts) {
      if (part.page === MMIO) {
        if (!this.memoryMapped(part.gpa, part.length, access, part.from)) return 0;
        continue;
      }
      const host = L.HOST_MEMORY + part.page + part.offset;
      this.memory.u8.copyWithin(L.BOUNCE + part.from, host, host + part.length);
      if (access !== ACCESS.read) this.pending.push({ host, gpa: 0, from: part.from, length: part.length });
    }
    return L.BOUNCE;
  }

  /** While emulating: provide read data and remember where the write goes. */
  private memoryMapped(gpa: number, length: number, access: number, from: number): boolean {
    if (access !== ACCESS.write) {
      const have = this.mmioReads?.[this.mmioReadsUsed];
      if (have === undefined) {
        this.client.needsMmio(gpa, length);
        return false;
      }
      this.mmioReadsUsed++;
      this.memory.u8.set(have.bytes.subarray(0, length), L.BOUNCE + from);
    }
    if (access !== ACCESS.read) {
      if (from === 0) this.pending = [];
      this.pending.push({ host: -1, gpa, from, length });
    }
    return true;
  }

  startEmulation(reads: readonly { gpa: number; bytes: Uint8Array }[]): void {
    this.mmioReads = reads;
    this.mmioReadsUsed = 0;
    this.mmioWrites = [];
  }
  endEmulation(): void {
    this.mmioReads = undefined;
  }

  /** The handler has stored into the bounce buffer: carry the pieces to where they belong. */
  commit(): void {
    const pieces = this.pending;
    this.pending = [];
    for (const { host, gpa, from, length } of pieces) {
      const bytes = this.memory.u8.slice(L.BOUNCE + from, L.BOUNCE + from + length);
      if (host < 0) this.mmioWrites.push({ gpa, bytes });
      else this.writeWatched(host, bytes);
    }
  }

  /** Write bytes within one page of host memory, noticing changed code and page tables. */
  writeWatched(host: number, bytes: Uint8Array): void {
    const page = (host - L.HOST_MEMORY) >>> 12;
    const flags = this.flags[page] as number;
    this.flags[page] = flags | PAGE.dirty;
    if ((flags & PAGE.table) !== 0) this.tableWritten(host, page, bytes);
    if ((flags & PAGE.code) !== 0) this.client.codeWritten(page, host & 0xfff, bytes.length);
    this.memory.u8.set(bytes, host);
  }

  /** Drop what is cached from the entries that are about to change. */
  private tableWritten(host: number, page: number, bytes: Uint8Array): void {
    const region = this.guest.regions[page] as number;
    for (let at = host & ~7; at < host + bytes.length; at += 8) {
      if (!this.changesHeldEntry(at, host, bytes)) continue;
      if (region === NOT_LEAF) {
        this.flush();
        return;
      }
      this.dropLinear(region, (at & 0xfff) >>> 3);
    }
  }

  /** Forget one page of a 2 MiB region, whatever the context: its TLB entry does not depend on it. */
  private dropLinear(region: number, index: number): void {
    const low = ((region % 2048) * 0x200000 + index * 4096) | 0;
    const high = Math.floor(region / 2048) | 0;
    const entry = this.entryFor(low, high);
    const { u32 } = this.memory;
    u32[(entry + L.TAG_READ) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_WRITE) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_EXECUTE) >>> 2] = 0xffffffff;
  }

  /** Whether the 8 bytes at `at` hold an entry that may be cached (present and accessed) and would change. */
  private changesHeldEntry(at: number, host: number, bytes: Uint8Array): boolean {
    const { u8, u32 } = this.memory;
    const low = u32[at >>> 2] as number;
    const high = u32[(at >>> 2) + 1] as number;
    if ((low & 0x21) !== 0x21 && (high & 0x21) !== 0x21) return false;
    for (let i = 0; i < 8; i++) {
      const index = at + i - host;
      if (index < 0 || index >= bytes.length) continue;
      const old = u8[at + i] as number;
      const now = bytes[index] as number;
      // Setting accessed or dirty changes nothing that is cached; clearing them does.
      const ignored = (i & 3) === 0 ? 0x60 & ~old : 0;
      if (((old ^ now) & ~ignored) !== 0) return true;
    }
    return false;
  }

  /**
   * Host-virtual address of the page holding a linear address, filling the TLB. Negative: MMIO while
   * emulating, or FAILED after the client was told.
   */
  page(low: number, high: number, size: number, access: number): number {
    if (this.mode.long && this.isNonCanonical(low, high)) {
      this.client.nonCanonical();
      return FAILED;
    }
    const { want } = this;
    want.write = access === ACCESS.write || access === ACCESS.readWrite;
    want.fetch = access === ACCESS.execute;
    want.user = this.user && !this.system;
    want.implicit = this.system;
    want.quiet = false;
    const outcome = this.guest.walk(this.mode, low, high, want);
    if (outcome === 'fault') {
      this.client.pageFault(low, high, this.guest.errorCode);
      return FAILED;
    }
    if (outcome === 'exit') return this.refuse(low, high, this.guest.refusedGpa, EPT_ACCESS_KIND.read, 'table', 8);
    if (this.guest.conflicts.length > 0 && this.settleConflicts()) return this.page(low, high, size, access);
    const kind = want.fetch ? EPT_ACCESS_KIND.execute : want.write ? EPT_ACCESS_KIND.read | EPT_ACCESS_KIND.write : EPT_ACCESS_KIND.read;
    const host = this.second.page(this.guest.gpa, kind);
    if (host < 0) {
      const asked = want.fetch ? EPT_ACCESS_KIND.execute : want.write ? (access === ACCESS.write ? 2 : 3) : EPT_ACCESS_KIND.read;
      return this.refuse(low, high, this.guest.gpa, asked, 'final', size);
    }
    if (want.write) this.flags[host >>> 12] = (this.flags[host >>> 12] as number) | PAGE.dirty;
    if (!this.system && this.watchedPages === undefined && this.mmioReads === undefined) this.fill(low, high, host, want);
    return host;
  }

  /** Accesses the processor makes on its own behalf (descriptor tables, TSS) are supervisor's. */
  system = false;

  private isNonCanonical(low: number, high: number): boolean {
    void low;
    const top = high >> 15;
    return top !== 0 && top !== -1;
  }

  private refuse(low: number, high: number, gpa: number, asked: number, where: 'table' | 'final', size: number): number {
    const { second } = this;
    if (this.mmioReads !== undefined && where === 'final') return MMIO;
    const linear = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    // SDM Vol. 3, Table 28-7: bit 7 linear address valid, bit 8 access to the final translation.
    const qualification = second.misconfigured
      ? 0
      : asked | (second.allowed << 3) | 0x80 | (where === 'final' ? 0x100 : 0);
    void size;
    this.client.exit({
      reason: second.misconfigured ? 49 : 48,
      qualification: BigInt(qualification),
      instructionLength: 0,
      instructionInfo: 0,
      interruptionInfo: 0,
      interruptionErrorCode: 0,
      idtVectoringInfo: 0,
      idtVectoringErrorCode: 0,
      guestLinearAddress: linear,
      guestPhysicalAddress: gpa,
    });
    return FAILED;
  }

  private fill(low: number, high: number, host: number, want: Want): void {
    const entry = this.entryFor(low, high);
    const page = host >>> 12;
    this.claim(entry, low, high);
    if (!want.fetch) {
      this.tag(entry + L.TAG_READ, low, high);
      if (this.mayCacheWrite(page, want)) {
        this.tag(entry + L.TAG_WRITE, low, high);
        this.noteWriteCached(page, entry);
      }
    }
    this.memory.i32[(entry + L.TLB_ADDEND) >>> 2] = (L.HOST_MEMORY + host - (low & 0xfffff000)) | 0;
  }

  /** Writes may go through unseen: nothing about the page or its entries is left to be noticed. */
  private mayCacheWrite(page: number, want: Want): boolean {
    const { guest, mode } = this;
    const flags = this.flags[page] as number;
    if (!guest.dirty || (flags & (PAGE.code | PAGE.table)) !== 0) return false;
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
    const { u32 } = this.memory;
    u32[(entry + L.TAG_READ) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_WRITE) >>> 2] = 0xffffffff;
    u32[(entry + L.TAG_EXECUTE) >>> 2] = 0xffffffff;
  }

  /** Engine address of the TLB entry for a linear address. */
  entryFor(low: number, high: number): number {
    const page = ((low >>> 12) | (high << 20)) >>> 0;
    const hashed = (page ^ (page >>> L.TLB_BITS)) & ((1 << L.TLB_BITS) - 1);
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

  private noticeWatched(low: number, high: number, size: number, access: number): void {
    this.onWatched?.(low, high, size, access);
  }

  /** Translation for people: no side effects. */
  peek(low: number, high: number): { gpa: number; host: number; entries: bigint[] } | undefined {
    const { guest, want } = this;
    guest.trail = [];
    want.write = want.fetch = want.user = want.implicit = false;
    want.quiet = true;
    const saved = this.mode.smap;
    this.mode.smap = false;
    const outcome = guest.walk(this.mode, low, high, want);
    this.mode.smap = saved;
    const entries = guest.trail;
    guest.trail = undefined;
    if (outcome !== 'ok') return undefined;
    return { gpa: guest.gpa, host: this.second.page(guest.gpa, EPT_ACCESS_KIND.read), entries };
  }
}

/** `page` results below zero. */
export const FAILED = -1;
export const MMIO = -2;
