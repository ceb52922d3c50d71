import { ACCESS } from '../mmu/access.ts';
import type { RegisterFile } from '../core/core.ts';
import type { DebuggerStops } from '../core/debugger-stops.ts';
import type { Mmu } from '../mmu/mmu.ts';
import * as L from '../state/layout.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { CpuState } from '../state/state.ts';
import type { RunClock } from './run-clock.ts';
import { BLOCKED_BY, DR7, RFLAGS } from '../../x86/registers.ts';

/** What debug registers work on. */
export interface Watched extends RegisterFile {
  readonly mmu: Mmu;
  readonly clock: RunClock;
  /** What a debugger outside the guest waits for, beside the guest's own debug registers. */
  readonly stops: DebuggerStops;
}

/** The debug registers at work: instruction and data breakpoints. SDM Vol. 3, 18.2. */
export class DebugRegisters {
  private readonly memory: EngineMemory;
  private readonly state: CpuState;
  private readonly mmu: Mmu;
  private readonly clock: RunClock;
  private readonly stops: DebuggerStops;
  /** Data breakpoints held back when the slice began: an instruction that does not retire adds none. */
  heldHits = 0;

  constructor({ memory, state, mmu, clock, stops }: Watched) {
    this.memory = memory;
    this.state = state;
    this.mmu = mmu;
    this.clock = clock;
    this.stops = stops;
  }

  /**
   * Data breakpoints hit, and those MOV SS held back: the #DB at hand reports them, and they are not held any more even
   * where the instruction that raises it does not retire, as an ICEBP that exits.
   */
  takeHits(): number {
    const hits = this.memory.read32(L.PENDING_DEBUG);
    this.memory.write32(L.PENDING_DEBUG, 0);
    this.heldHits = 0;
    return hits;
  }

  /** DR7 or the address registers changed. */
  changed(): void {
    const dr7 = this.memory.read32(L.DR7);
    const { watchedPages } = this.mmu;
    if ((dr7 & DR7.ENABLES) === 0 && this.stops.watchpoints.length === 0 && watchedPages === undefined) return;
    const pages = new Set(this.stops.pages());
    for (let i = 0; i < 4; i++) {
      if (((dr7 >>> (2 * i)) & 3) === 0 || ((dr7 >>> (16 + 4 * i)) & 3) === 0) continue;
      pages.add(Number((this.memory.read64(L.DR + 8 * i) >> 12n) & 0xffff_ffffn));
    }
    if (pages.size === (watchedPages?.size ?? 0) && [...pages].every((page) => watchedPages?.has(page))) return;
    this.mmu.watchedPages = pages.size > 0 ? pages : undefined;
    this.mmu.onWatched = (low, high, size, access) => this.noticeAccess(low, high, size, access);
    this.mmu.flush();
  }

  private noticeAccess(low: number, high: number, size: number, access: number): void {
    const linear = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    if (!this.mmu.probing && this.stops.notice(linear, size, access)) this.clock.stopSoon();
    this.noticeData(linear, size, access);
  }

  /** Data breakpoints: #DB after the instruction. SDM Vol. 3, 18.2.4. */
  private noticeData(linear: bigint, size: number, access: number): void {
    if (access === ACCESS.execute) return;
    const dr7 = this.memory.read32(L.DR7);
    let hits = 0;
    for (let i = 0; i < 4; i++) {
      const kind = (dr7 >>> (16 + 4 * i)) & 3;
      if (((dr7 >>> (2 * i)) & 3) === 0 || kind === 0 || kind === 2) continue;
      if (kind === 1 && access === ACCESS.read) continue;
      const length = BigInt([1, 2, 8, 4][(dr7 >>> (18 + 4 * i)) & 3] as number);
      const start = this.memory.read64(L.DR + 8 * i) & ~(length - 1n);
      if (linear < start + length && start < linear + BigInt(size)) hits |= 1 << i;
    }
    this.noteHits(hits);
  }

  /** The instruction at hand met breakpoints: #DB after it. */
  noteHits(hits: number): void {
    if (hits === 0) return;
    this.memory.write32(L.PENDING_DEBUG, this.memory.read32(L.PENDING_DEBUG) | hits);
    this.clock.stopSoon();
  }

  watchesCode(): boolean {
    return (this.memory.read32(L.DR7) & DR7.ENABLES) !== 0 && this.hasCodeBreakpoint();
  }

  private hasCodeBreakpoint(): boolean {
    const dr7 = this.memory.read32(L.DR7);
    for (let i = 0; i < 4; i++) if (((dr7 >>> (2 * i)) & 3) !== 0 && ((dr7 >>> (16 + 4 * i)) & 3) === 0) return true;
    return false;
  }

  /** DR6 bits of the breakpoints at the instruction that is next. */
  codeHits(): number {
    // RF suppresses instruction breakpoints for one instruction, and so does MOV SS. SDM Vol. 3, 18.3.1.1 and 6.8.3.
    if (this.state.flag(RFLAGS.RF) || (this.memory.read32(L.INTERRUPTIBILITY) & BLOCKED_BY.MOV_SS) !== 0) return 0;
    const linear = (this.state.rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
    const dr7 = this.memory.read32(L.DR7);
    let hits = 0;
    for (let i = 0; i < 4; i++) {
      const enabled = ((dr7 >>> (2 * i)) & 3) !== 0 && ((dr7 >>> (16 + 4 * i)) & 3) === 0;
      if (enabled && this.memory.read64(L.DR + 8 * i) === linear) hits |= 1 << i;
    }
    return hits;
  }
}
