import type { Gpa } from '../../base/units.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import type { VmExit } from '../../x86/guest.ts';
import * as L from '../state/layout.ts';
import { alignedDown, type EngineMemory } from '../state/memory.ts';
import { ACCESS, type Writer } from './access.ts';
import { MIXED, NARROW, type Want } from './guest-walk.ts';
import { NOTICED, PAGE, takeFlagged } from './page-flags.ts';
import { EPT_ACCESS_KIND } from './second-level.ts';
import { Tlb } from './tlb.ts';
import { PTE } from '../../x86/paging.ts';

/** What the MMU tells the processor when an access cannot complete. */
export interface MmuClient {
  pageFault(low: number, high: number, errorCode: number): void;
  /** Non-canonical address: #GP(0), or #SS(0) for the stack. */
  nonCanonical(): void;
  exit(exit: VmExit): void;
  /** KVM's emulator reads memory-mapped data that is not at hand yet. */
  needsMmio(gpa: Gpa, length: number): void;
  /** A write is about to change bytes of a page that holds decoded code. */
  codeWritten(hostPage: number, offset: number, length: number): void;
  /** Bytes of a page a debugger has tapped are about to be written. */
  tappedWritten(host: number, bytes: Uint8Array, by: Writer): void;
  /** Bytes of a page a debugger watches are being read; `access` tells whether they are to be written, too. */
  tappedRead(host: number, size: number, access: number): void;
  setContext(context: bigint): void;
  /** Translations were dropped while the guest runs: the code under way must be looked up again, too. */
  dropped(): void;
}

/** What an entry has that may be cached. */
const HELD = PTE.PRESENT | PTE.ACCESSED;
/** What the processor sets in an entry by itself. */
const MARKS = PTE.ACCESSED | PTE.DIRTY;

/** Room in the bounce buffer. */
const BOUNCE_BYTES = 64;

interface Piece {
  /** Engine address, or -1 for memory-mapped. */
  host: number;
  gpa: Gpa;
  from: number;
  length: number;
}

/** The soft MMU: TLB, two-dimensional walks, write watching, page-crossing and memory-mapped accesses. */
export class Mmu extends Tlb {
  /** MMIO reads at hand while KVM emulates; undefined: memory-mapped accesses exit. */
  mmioReads: readonly { gpa: Gpa; bytes: Uint8Array }[] | undefined;
  mmioWrites: { gpa: Gpa; bytes: Uint8Array }[] = [];
  private mmioReadsUsed = 0;

  private readonly client: MmuClient;
  private pending: Piece[] = [];
  private readonly want: Want = { write: false, fetch: false, user: false, implicit: false, quiet: false };
  /** Linear pages (number modulo 2^32) with data breakpoints or watchpoints: never in the TLB. */
  watchedPages: ReadonlySet<number> | undefined;
  /** Called for every access to a watched page, before it is known to succeed. */
  onWatched: ((low: number, high: number, size: number, access: number) => void) | undefined;

  constructor(memory: EngineMemory, eptWords: Uint32Array, client: MmuClient) {
    super(memory, eptWords);
    this.client = client;
    this.guest.onMark = (host, bytes) => this.marked(host, bytes);
  }

  /** The walk sets accessed and dirty bits in a page somebody wants to hear of. */
  private marked(host: number, bytes: Uint8Array): void {
    const page = (host - L.HOST_MEMORY) >>> 12;
    const flags = this.flags[page] as number;
    if ((flags & PAGE.tapped) !== 0) this.tapped(host, bytes, 'walk');
    if ((flags & PAGE.code) !== 0) this.client.codeWritten(page, host & 0xfff, bytes.length);
  }

  /** The access at hand only asks whether it could be made: a debugger does not hear of it. */
  probing = false;
  private tappedPages: readonly number[] = [];
  /** Pages of host memory whose reads are noticed too: never in the TLB. */
  private watchedFrames: ReadonlySet<number> | undefined;

  /** Let the debugger hear of reads and writes of these pages of host memory, and of no others. */
  tap(read: readonly number[], written: readonly number[]): void {
    const same = (a: readonly number[], b: Iterable<number>): boolean => a.join() === [...b].join();
    if (same(written, this.tappedPages) && same(read, this.watchedFrames ?? [])) return;
    for (const page of this.tappedPages) this.flags[page] = (this.flags[page] as number) & ~PAGE.tapped;
    for (const page of written) this.flags[page] = (this.flags[page] as number) | PAGE.tapped;
    this.tappedPages = written;
    this.watchedFrames = read.length === 0 ? undefined : new Set(read);
    this.flush();
  }

  private tapped(host: number, bytes: Uint8Array, by: Writer): void {
    this.client.tappedWritten(host - L.HOST_MEMORY, bytes, by);
  }

  protected useContext(context: bigint): void {
    this.client.setContext(context);
  }

  /** The handlers' slow path. Returns an engine address, or 0 after telling the client why not. */
  translate(low: number, high: number, wanted: number): number {
    const size = wanted & 0xff;
    const access = wanted >>> 8;
    const offset = low & 0xfff;
    if (this.watchedPages !== undefined && this.isWatched(low, high, size)) {
      this.onWatched?.(low, high, size, access);
      if (offset + size <= 4096) return this.onWatchedPage(low, high, size, access);
    }
    if (offset + size <= 4096) return this.inOnePage(low, high, size, access);
    return this.acrossPages(low, high, size, access);
  }

  private inOnePage(low: number, high: number, size: number, access: number): number {
    const page = this.page(low, high, size, access);
    if (page >= 0) {
      const address = L.HOST_MEMORY + page + (low & 0xfff);
      if (this.watchedFrames?.has(page >>> 12) === true) return this.onWatchedFrame(address, size, access);
      if (access === ACCESS.read || ((this.flags[page >>> 12] as number) & NOTICED) === 0) return address;
      this.memory.u8.copyWithin(L.BOUNCE, address, address + size);
      this.pending = [{ host: address, gpa: 0, from: 0, length: size }];
      return L.BOUNCE;
    }
    if (page === MMIO) return this.memoryMapped(this.guest.gpa, size, access, 0) ? L.BOUNCE : 0;
    return 0;
  }

  private isWatched(low: number, high: number, size: number): boolean {
    if (this.watchedPages === undefined) return false;
    const page = ((low >>> 12) | (high << 20)) >>> 0;
    if (this.watchedPages.has(page)) return true;
    return (low & 0xfff) + size > 4096 && this.watchedPages.has((page + 1) >>> 0);
  }

  private isWatchedFrame(host: number): boolean {
    return this.watchedFrames?.has(host >>> 12) === true;
  }

  /** By the bounce buffer, so that string instructions go element by element and each is noticed. */
  private onWatchedPage(low: number, high: number, size: number, access: number): number {
    const address = this.inOnePage(low, high, size, access);
    if (address === 0 || address === L.BOUNCE || size > BOUNCE_BYTES) return address;
    this.memory.u8.copyWithin(L.BOUNCE, address, address + size);
    if (access !== ACCESS.read) this.pending = [{ host: address, gpa: 0, from: 0, length: size }];
    return L.BOUNCE;
  }

  private onWatchedFrame(address: number, size: number, access: number): number {
    if (!this.probing) this.client.tappedRead(address - L.HOST_MEMORY, size, access);
    if (size > BOUNCE_BYTES) return address;
    this.memory.u8.copyWithin(L.BOUNCE, address, address + size);
    if (access !== ACCESS.read) this.pending = [{ host: address, gpa: 0, from: 0, length: size }];
    return L.BOUNCE;
  }

  private acrossPages(low: number, high: number, size: number, access: number): number {
    const first = 4096 - (low & 0xfff);
    const nextLow = (low + first) >>> 0;
    const nextHigh = nextLow < low >>> 0 && this.mode.long ? (high + 1) >>> 0 : high;
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
      if (!this.probing && this.isWatchedFrame(part.page))
        this.client.tappedRead(part.page + part.offset, part.length, access);
      this.memory.u8.copyWithin(L.BOUNCE + part.from, host, host + part.length);
      if (access !== ACCESS.read) this.pending.push({ host, gpa: 0, from: part.from, length: part.length });
    }
    return L.BOUNCE;
  }

  /** While emulating: provide read data and remember where the write goes. */
  private memoryMapped(gpa: Gpa, length: number, access: number, from: number): boolean {
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

  startEmulation(reads: readonly { gpa: Gpa; bytes: Uint8Array }[]): void {
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
      else this.guestWrite(host, bytes);
    }
  }

  private guestWrite(host: number, bytes: Uint8Array): void {
    const { followed } = this.guest;
    const isFollowed = ((this.flags[(host - L.HOST_MEMORY) >>> 12] as number) & PAGE.followed) !== 0;
    if (followed !== undefined && isFollowed) {
      followed.write(host, bytes.length, () => this.writeWatched(host, bytes));
    } else this.writeWatched(host, bytes);
  }

  /** Write bytes within one page of host memory, noticing changed code and page tables. */
  writeWatched(host: number, bytes: Uint8Array, by: Writer = 'instruction'): void {
    const page = (host - L.HOST_MEMORY) >>> 12;
    const flags = this.flags[page] as number;
    if ((flags & PAGE.tapped) !== 0) this.tapped(host, bytes, by);
    this.flags[page] = flags | PAGE.dirty;
    if ((flags & PAGE.table) !== 0) this.tableWritten(host, page, bytes);
    if ((flags & PAGE.code) !== 0) this.client.codeWritten(page, host & 0xfff, bytes.length);
    this.memory.u8.set(bytes, host);
  }

  /** Pages of host memory written since the last call. Cached writes would set no flag: the caches go. */
  takeDirty(): number[] {
    this.flush();
    return takeFlagged(this.flags, PAGE.dirty);
  }

  /** Drop what is cached from the entries that are about to change. */
  private tableWritten(host: number, page: number, bytes: Uint8Array): void {
    const region = this.guest.regions[page] as number;
    for (let at = alignedDown(host); at < host + bytes.length; at += 8) {
      if (!this.changesHeldEntry(at, host, bytes, region)) continue;
      this.client.dropped();
      if (region < 0) {
        this.flush();
        return;
      }
      this.dropLinear(region, (at & 0xfff) >>> 3);
    }
  }

  /** Whether the 8 bytes at `at` hold an entry that may be cached (present and accessed) and would change. */
  private changesHeldEntry(at: number, host: number, bytes: Uint8Array, region: number): boolean {
    const { u8, u32 } = this.memory;
    const isHeld = ((u32[at >>> 2] as number) & HELD) === HELD;
    const isSecondHeld = region <= NARROW && ((u32[(at >>> 2) + 1] as number) & HELD) === HELD;
    if (!isHeld && !isSecondHeld) return false;
    // Setting accessed or dirty changes nothing that is cached; clearing them does.
    const marks = region === NARROW ? [MARKS, MARKS] : region === MIXED ? [0, 0] : [MARKS, 0];
    for (let i = 0; i < 8; i++) {
      const index = at + i - host;
      if (index < 0 || index >= bytes.length) continue;
      const old = u8[at + i] as number;
      const now = bytes[index] as number;
      const ignored = (i & 3) === 0 ? (marks[i >>> 2] as number) & ~old : 0;
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
    // Also where it ended in a fault: a page whose writes are reported from now on may not be written unseen.
    const { guest } = this;
    const isFlushed = (guest.conflicts.length > 0 || guest.marksAddress) && this.settleConflicts();
    if (isFlushed && !want.fetch) this.client.dropped();
    if (outcome === 'fault') {
      this.client.pageFault(low, high, this.guest.errorCode);
      return FAILED;
    }
    if (outcome === 'exit') return this.refuse(low, high, this.guest.refusedGpa, EPT_ACCESS_KIND.read, 'table', 8);
    if (isFlushed) return this.page(low, high, size, access);
    const kind = want.fetch
      ? EPT_ACCESS_KIND.execute
      : want.write
        ? EPT_ACCESS_KIND.read | EPT_ACCESS_KIND.write
        : EPT_ACCESS_KIND.read;
    const host = this.second.page(this.guest.gpa, kind);
    if (host < 0) {
      const asked = want.fetch
        ? EPT_ACCESS_KIND.execute
        : want.write
          ? access === ACCESS.write
            ? 2
            : 3
          : EPT_ACCESS_KIND.read;
      return this.refuse(low, high, this.guest.gpa, asked, 'final', size);
    }
    if (want.write) this.flags[host >>> 12] = (this.flags[host >>> 12] as number) | PAGE.dirty;
    if (!want.fetch && this.mayCache(low, high, host)) this.fill(low, high, host, want);
    return host;
  }

  private mayCache(low: number, high: number, host: number): boolean {
    if (this.system || this.mmioReads !== undefined) return false;
    return !this.isWatched(low, high, 1) && !this.isWatchedFrame(host);
  }

  /** Accesses the processor makes on its own behalf (descriptor tables, TSS) are supervisor's. */
  system = false;

  private isNonCanonical(low: number, high: number): boolean {
    void low;
    const top = high >> 15;
    return top !== 0 && top !== -1;
  }

  private refuse(low: number, high: number, gpa: Gpa, asked: number, where: 'table' | 'final', size: number): number {
    const { second } = this;
    if (this.mmioReads !== undefined && where === 'final') return MMIO;
    const linear = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    // SDM Vol. 3, Table 28-7: bit 7 linear address valid, bit 8 access to the final translation.
    const qualification = second.misconfigured
      ? 0
      : asked | (second.allowed << 3) | 0x80 | (where === 'final' ? 0x100 : 0);
    void size;
    this.client.exit({
      reason: second.misconfigured ? EXIT.EPT_MISCONFIG : EXIT.EPT_VIOLATION,
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

  /** Translation for people: no side effects. */
  peek(low: number, high: number): { gpa: Gpa; host: number; entries: bigint[] } | undefined {
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
    return { gpa: guest.gpa, host: this.second.peek(guest.gpa), entries };
  }
}

/** `page` results below zero. */
const FAILED = -1;
export const MMIO = -2;
