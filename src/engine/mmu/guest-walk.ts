import type { Gpa } from '../../base/units.ts';
import { EPT_ACCESS_KIND, type SecondLevel } from './second-level.ts';
import type { FollowedTables } from './followed-tables.ts';
import { PAGE } from './page-flags.ts';
import type { EngineMemory } from '../state/memory.ts';
import * as L from '../state/layout.ts';
import { RFLAGS } from '../../x86/registers.ts';
import { PF } from '../../x86/exceptions.ts';
import { PTE } from '../../x86/paging.ts';

/** The control bits a walk depends on. */
export interface PagingMode {
  paging: boolean;
  pae: boolean;
  long: boolean;
  pse: boolean;
  writeProtect: boolean;
  smep: boolean;
  smap: boolean;
  noExecute: boolean;
  /** Physical-address width, bits (MAXPHYADDR). */
  physicalBits: number;
}

export type WalkOutcome = 'ok' | 'fault' | 'exit' | 'unmapped';

/** The table is used at another level, or for several regions. */
const NOT_LEAF = -1;
/** The table is one of 32-bit paging, with entries of 4 bytes. */
export const NARROW = -2;
/** Both 4 and 8 bytes of the table have been taken for an entry. */
export const MIXED = -3;

/** What a table is that is used in two ways. */
function combined(region: number, other: number): number {
  if (region === other) return region;
  return region <= NARROW || other <= NARROW ? MIXED : NOT_LEAF;
}

/** Linear address divided by 2 MiB, as an exact number. */
const regionOf = (low: number, high: number): number => (high >>> 0) * 2048 + (low >>> 21);

const { ACCESSED, DIRTY, LARGE, PRESENT, USER, WRITABLE } = PTE;

/**
 * The guest's half of a translation: its own page tables, SDM Vol. 3 chapter 4. Results are left in
 * fields, since a walk happens millions of times.
 */
export class GuestWalk {
  // Results of the last walk.
  gpa = 0;
  /** Accumulated rights. */
  writable = false;
  user = false;
  executable = false;
  /** The leaf's dirty bit is set (or there is none): writes may be cached. */
  dirty = false;
  errorCode = 0;
  /** Guest-physical address of the table access EPT refused, when the outcome is 'exit'. */
  refusedGpa = 0;
  /** Every entry read, for people: filled only when `trail` is an array. */
  trail: bigint[] | undefined;
  /** Set when the guest's writes to its tables are reported. */
  followed: FollowedTables | undefined;
  /** Write-cached pages that became tables in this walk. */
  readonly conflicts: number[] = [];
  private readonly watched: number[] = [];
  /** Per watched page: the 2 MiB of linear addresses whose last-level table it is, or one of the names above. */
  readonly regions: Float64Array;
  /** An accessed or dirty bit was set where other walks see a part of an address: nothing cached is sure any more. */
  marksAddress = false;
  private reportsFetch = false;
  /** The paging-structure entry that was looked at last. */
  private entryGpa: Gpa = 0;
  /** Told of accessed and dirty bits before they are set in a page that holds code or is tapped by a debugger. */
  onMark: ((host: number, bytes: Uint8Array) => void) | undefined;

  private readonly memory: EngineMemory;
  private readonly second: SecondLevel;
  private readonly flags: Uint8Array;

  constructor(memory: EngineMemory, second: SecondLevel, flags: Uint8Array) {
    this.memory = memory;
    this.second = second;
    this.flags = flags;
    this.regions = new Float64Array(flags.length);
  }

  /** `quiet`: change nothing (no accessed and dirty bits), for debuggers. */
  walk(mode: PagingMode, low: number, high: number, want: Want): WalkOutcome {
    this.errorCode = 0;
    this.reportsFetch = mode.smep || (mode.pae && mode.noExecute);
    if (!mode.paging) {
      this.gpa = low >>> 0;
      this.writable = this.user = this.executable = this.dirty = true;
      return 'ok';
    }
    if (mode.long) return this.wide(mode, low, high, want, 4, this.root(mode));
    if (mode.pae) return this.wide(mode, low, 0, want, 3, 0);
    return this.narrow(mode, low, want);
  }

  private root(mode: PagingMode): number {
    const low = this.memory.read32(L.CR3);
    const high = this.memory.read32(L.CR3 + 4) & 0xfffff;
    return mode.pae ? high * 0x1_0000_0000 + ((low & 0xfffff000) >>> 0) : (low & 0xfffff000) >>> 0;
  }

  /** PAE and 4-level paging: 64-bit entries. */
  private wide(mode: PagingMode, low: number, high: number, want: Want, levels: number, root: number): WalkOutcome {
    let table = root;
    let writable = true;
    let user = true;
    let executable = true;
    for (let level = levels; level >= 1; level--) {
      const index = tableIndex(low, high, level);
      let host: number;
      let entryLow: number;
      let entryHigh: number;
      if (level === 3 && levels === 3) {
        // PAE: the four PDPTEs were loaded with CR3. SDM Vol. 3, 4.4.1.
        host = -1;
        entryLow = this.memory.read32(L.PDPTE + 8 * index);
        entryHigh = this.memory.read32(L.PDPTE + 8 * index + 4);
      } else {
        host = this.entryAddress(table + 8 * index, want);
        if (host < 0) return this.tableRefused(table + 8 * index);
        entryLow = this.memory.read32(host);
        entryHigh = this.memory.read32(host + 4);
      }
      this.trail?.push((BigInt(entryHigh) << 32n) | BigInt(entryLow));
      if ((entryLow & PRESENT) === 0) return this.fault(want, 0);
      const leaf = level === 1 || (level < 4 && (entryLow & LARGE) !== 0 && host >= 0);
      if (this.reservedBits(mode, entryLow, entryHigh, level, levels, leaf))
        return this.fault(want, PF.present | PF.reserved);
      if (host >= 0) {
        writable &&= (entryLow & WRITABLE) !== 0;
        user &&= (entryLow & USER) !== 0;
        executable &&= entryHigh >>> 31 === 0 || !mode.noExecute;
      }
      if (!leaf) {
        if (host >= 0) this.mark(host, entryLow, ACCESSED, want, NOT_LEAF);
        table = (entryHigh & 0xfffff) * 0x1_0000_0000 + ((entryLow & 0xfffff000) >>> 0);
        continue;
      }
      const span = level === 1 ? 0xfff : level === 2 ? 0x1fffff : 0x3fffffff;
      if (!this.permitted(mode, writable, user, executable, want)) return this.fault(want, PF.present);
      const region = level === 1 ? regionOf(low, high) : NOT_LEAF;
      this.mark(host, entryLow, want.write ? ACCESSED | DIRTY : ACCESSED, want, region);
      this.dirty = want.write || (entryLow & DIRTY) !== 0;
      const frame = ((entryLow & 0xfffff000 & ~span) >>> 0) + ((low & span & ~0xfff) >>> 0);
      this.gpa = (entryHigh & 0xfffff) * 0x1_0000_0000 + (frame >>> 0) + (low & 0xfff);
      return this.found(writable, user, executable);
    }
    return 'fault';
  }

  /** 32-bit paging: 4-byte entries, optional 4 MiB pages with PSE-36. SDM Vol. 3, 4.3. */
  private narrow(mode: PagingMode, low: number, want: Want): WalkOutcome {
    const directory = ((this.memory.read32(L.CR3) & 0xfffff000) >>> 0) + ((low >>> 22) << 2);
    const pde = this.entryAddress(directory, want);
    if (pde < 0) return this.tableRefused(directory);
    const top = this.memory.read32(pde);
    this.trail?.push(BigInt(top));
    if ((top & PRESENT) === 0) return this.fault(want, 0);
    let writable = (top & WRITABLE) !== 0;
    let user = (top & USER) !== 0;
    if (mode.pse && (top & LARGE) !== 0) {
      if ((top & 0x200000) !== 0) return this.fault(want, PF.present | PF.reserved);
      if (!this.permitted(mode, writable, user, true, want)) return this.fault(want, PF.present);
      this.mark(pde, top, want.write ? ACCESSED | DIRTY : ACCESSED, want, NARROW);
      this.dirty = want.write || (top & DIRTY) !== 0;
      const above = ((top >>> 13) & 0xff) * 0x1_0000_0000;
      this.gpa = above + ((top & 0xffc00000) >>> 0) + (low & 0x3fffff);
      return this.found(writable, user, true);
    }
    this.mark(pde, top, ACCESSED, want, NARROW);
    const address = ((top & 0xfffff000) >>> 0) + (((low >>> 12) & 0x3ff) << 2);
    const pte = this.entryAddress(address, want);
    if (pte < 0) return this.tableRefused(address);
    const entry = this.memory.read32(pte);
    this.trail?.push(BigInt(entry));
    if ((entry & PRESENT) === 0) return this.fault(want, 0);
    writable &&= (entry & WRITABLE) !== 0;
    user &&= (entry & USER) !== 0;
    if (!this.permitted(mode, writable, user, true, want)) return this.fault(want, PF.present);
    this.mark(pte, entry, want.write ? ACCESSED | DIRTY : ACCESSED, want, NARROW);
    this.dirty = want.write || (entry & DIRTY) !== 0;
    this.gpa = ((entry & 0xfffff000) >>> 0) + (low & 0xfff);
    return this.found(writable, user, true);
  }

  /** Engine address of a paging-structure entry; accesses to these count as writes for EPT's dirty flags. */
  private entryAddress(gpa: Gpa, want: Want): number {
    let page: number;
    if (want.quiet) page = this.second.peek(gpa);
    else {
      this.entryGpa = gpa;
      const kind =
        this.second.slots === undefined ? EPT_ACCESS_KIND.read | EPT_ACCESS_KIND.write : EPT_ACCESS_KIND.read;
      page = this.second.page(gpa, kind);
      if (page < 0) page = this.second.page(gpa, EPT_ACCESS_KIND.read);
      if (page >= 0 && this.followed !== undefined) this.follow(page >>> 12, gpa);
    }
    return page < 0 ? -1 : L.HOST_MEMORY + page + (gpa % 4096);
  }

  private follow(page: number, gpa: Gpa): void {
    const isNew = this.followed?.used(page, gpa) === true;
    if (isNew && ((this.flags[page] as number) & PAGE.writeCached) !== 0) this.conflicts.push(page);
  }

  private tableRefused(gpa: Gpa): WalkOutcome {
    this.refusedGpa = gpa;
    return 'exit';
  }

  private mark(host: number, entry: number, bits: number, want: Want, region: number): void {
    if (want.quiet) return;
    this.watch((host - L.HOST_MEMORY) >>> 12, region);
    if ((entry & bits) === bits || !this.second.mayMark(this.entryGpa)) return;
    const page = (host - L.HOST_MEMORY) >>> 12;
    if (((this.flags[page] as number) & (PAGE.tapped | PAGE.code)) !== 0) this.onMark?.(host, wordBytes(entry | bits));
    if (this.regions[page] === MIXED) this.marksAddress = true;
    this.memory.write32(host, entry | bits);
    this.flags[page] = (this.flags[page] as number) | PAGE.dirty;
  }

  /** From now on a write to this page must be noticed: something cached depends on it. */
  private watch(page: number, region: number): void {
    const flags = this.flags[page] as number;
    if ((flags & PAGE.table) !== 0) {
      this.regions[page] = combined(this.regions[page] as number, region);
      return;
    }
    this.regions[page] = region;
    this.flags[page] = flags | PAGE.table;
    this.watched.push(page);
    if ((flags & PAGE.writeCached) !== 0) this.conflicts.push(page);
  }

  /** Nothing is cached any more: stop watching. */
  unwatchAll(): void {
    for (const page of this.watched) this.flags[page] = (this.flags[page] as number) & ~PAGE.table;
    this.watched.length = 0;
    this.conflicts.length = 0;
    this.marksAddress = false;
  }

  private found(writable: boolean, user: boolean, executable: boolean): WalkOutcome {
    this.writable = writable;
    this.user = user;
    this.executable = executable;
    return 'ok';
  }

  /** SDM Vol. 3, 4.6.1: what this access may do. */
  private permitted(mode: PagingMode, writable: boolean, user: boolean, executable: boolean, want: Want): boolean {
    if (want.user) {
      if (!user) return false;
      if (want.write && !writable) return false;
      return !want.fetch || executable;
    }
    if (want.fetch) return executable && !(user && mode.smep);
    if (user && mode.smap && (want.implicit || (this.memory.read32(L.FLAGS_REST) & RFLAGS.AC) === 0)) return false;
    return !want.write || writable || !mode.writeProtect;
  }

  private reservedBits(
    mode: PagingMode,
    low: number,
    high: number,
    level: number,
    levels: number,
    leaf: boolean,
  ): boolean {
    const above = mode.physicalBits - 32;
    if ((high & 0xfffff & ~((1 << above) - 1)) !== 0) return true;
    if (high >>> 31 !== 0 && !mode.noExecute) return true;
    if (levels === 3) {
      if ((high & 0x7ff00000) !== 0) return true;
      if (level === 3) return false;
    }
    if (level === 4) return (low & LARGE) !== 0;
    if (!leaf || level === 1) return false;
    return (low & (level === 2 ? 0x1fe000 : 0x3fffe000)) !== 0;
  }

  private fault(want: Want, bits: number): WalkOutcome {
    this.errorCode = bits | (want.write ? PF.write : 0) | (want.user ? PF.user : 0);
    // The I/D bit exists only with SMEP or NXE. SDM Vol. 3, 4.7.
    if (want.fetch && this.reportsFetch) this.errorCode |= PF.fetch;
    return 'fault';
  }
}

export type Want = { write: boolean; fetch: boolean; user: boolean; implicit: boolean; quiet: boolean };

const wordBytes = (word: number): Uint8Array => new Uint8Array(Uint32Array.of(word).buffer);

function tableIndex(low: number, high: number, level: number): number {
  switch (level) {
    case 1:
      return (low >>> 12) & 511;
    case 2:
      return (low >>> 21) & 511;
    case 3:
      return ((low >>> 30) | (high << 2)) & 511;
    default:
      return (high >>> 7) & 511;
  }
}
