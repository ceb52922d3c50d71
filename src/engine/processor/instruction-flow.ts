import { ASSISTS } from '../assists/index.ts';
import { divide128 } from '../assists/divide.ts';
import { runSlow } from '../assists/vector.ts';
import { ACCESS } from '../mmu/access.ts';
import type { CodeCache, CodePage } from '../code/cache.ts';
import { MODE } from '../state/mode.ts';
import type { Core } from '../core/core.ts';
import type { DebuggerStops } from '../core/debugger-stops.ts';
import type { Watched } from './debug-registers.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import { ASSIST_HOT } from '../emit/shared.ts';
import { ASSIST_DIVIDE_128 } from '../meanings/arithmetic.ts';
import { ASSIST_BY_SITE, ASSIST_CHECK, ASSIST_CROSSING } from '../meanings/pseudo.ts';
import { ASSIST_VECTOR } from '../meanings/vector/slow.ts';
import { MMIO, type Mmu } from '../mmu/mmu.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { Translator } from '../translate/translator.ts';
import type { CpuState } from '../state/state.ts';
import type { RunClock } from './run-clock.ts';
import { NOTHING, type Stop, stopOf } from '../core/stop.ts';
import { SEG } from '../../x86/registers.ts';

/** Host address of code that is not mapped. */
const NOWHERE = -1;

/** The processor as it looks between instructions. */
export interface Executing extends Core, Watched {
  readonly stops: DebuggerStops;
  readonly mmu: Mmu;
  readonly code: CodeCache;
  readonly clock: RunClock;
  /** What stopped the handlers. */
  stop: Stop;
  readonly translator: Translator;
  /** A handler's access stopped it. */
  stopWith(stop: Stop): void;
}

/** Of an address in its page. */
const OFFSET = 0xfff;

/** From one instruction to the next: what the handlers call when they cannot go on by themselves. */
export class InstructionFlow {
  codeMode = 0;
  /** The stop happened while fetching: RIP is already right and no tick was taken for it. */
  fetching = false;
  private readonly core: Executing;
  private readonly memory: EngineMemory;
  private readonly state: CpuState;
  private readonly mmu: Mmu;
  private readonly code: CodeCache;
  private readonly stops: DebuggerStops;
  private readonly clock: RunClock;

  constructor(core: Executing) {
    this.core = core;
    this.memory = core.memory;
    this.state = core.state;
    this.mmu = core.mmu;
    this.code = core.code;
    this.stops = core.stops;
    this.clock = core.clock;
  }

  /** Find the record at RIP, decoding if need be. 0: a stop is described. */
  resolve(): number {
    return this.state.code64 ? this.resolveLong() : this.resolveSegmented();
  }

  /** In 64-bit code RIP is the linear address, and nothing ends: its halves need no bigint. */
  private resolveLong(): number {
    const { memory } = this;
    const low = memory.read32(L.RIP) | 0;
    const high = memory.read32(L.RIP + 4) | 0;
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) return this.unfetched(host);
    const { flushes } = this.mmu;
    const page = this.pageOf(host, this.codeMode);
    const record = this.code.record(page, low & OFFSET);
    // Nothing may be cached of a walk whose tables are not watched any more.
    if (this.mmu.flushes !== flushes) return this.resolve();
    this.mmu.fillExecute(low, high, host, page.table);
    memory.write32(L.RIP_PAGE, low & ~OFFSET);
    memory.write32(L.RIP_PAGE + 4, high);
    return record;
  }

  private resolveSegmented(): number {
    const { memory } = this;
    const rip = memory.read64(L.RIP);
    const isBounded = this.isBounded(rip);
    if (isBounded && this.endsBeyond(rip, 1)) return 0;
    const linear = this.linearOf(rip);
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) return this.unfetched(host);
    const offset = low & OFFSET;
    const { flushes } = this.mmu;
    const page = this.pageOf(host, isBounded ? this.codeMode | MODE.bounded : this.codeMode);
    const record = this.code.record(page, offset);
    if (this.mmu.flushes !== flushes) return this.resolve();
    if (!isBounded) this.mmu.fillExecute(low, high, host, page.table);
    else if (this.endsBeyond(rip, this.code.lengthOf(record))) return 0;
    memory.write64(L.RIP_PAGE, rip - BigInt(offset));
    return record;
  }

  private pageOf(host: number, mode: number): CodePage {
    if (!this.code.hasRoom()) this.code.flush();
    return this.code.page(host >>> 12, mode);
  }

  private linearOf(rip: bigint): bigint {
    return (rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
  }

  /** The page of RIP cannot be fetched from. */
  private unfetched(host: number): number {
    this.fetching = true;
    if (host === MMIO) this.core.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
    if (this.breaksBeforeFault(this.linearOf(this.state.rip))) this.core.stop = NOTHING;
    return 0;
  }

  /** The code segment ends in the page of `rip`, or before. */
  private isBounded(rip: bigint): boolean {
    return !this.state.code64 && rip >= this.memory.read64(L.CODE_END);
  }
  /** An instruction of `length` bytes does not lie in the code segment: #GP(0), which is described. SDM Vol. 3, 5.3. */
  private endsBeyond(rip: bigint, length: number): boolean {
    if (this.state.code64 || rip + BigInt(length) - 1n <= BigInt(this.state.limit(SEG.CS))) return false;
    this.state.rip = rip;
    this.fetching = true;
    this.core.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
    return true;
  }

  /** A breakpoint comes before the page fault of fetching its instruction. SDM Vol. 3, table 7-2. */
  private breaksBeforeFault(linear: bigint): boolean {
    const { clock, stops } = this;
    const { stop } = this.core;
    if (stop.kind !== 'fault' || stop.vector !== VECTOR.PF || clock.emulating) return false;
    return !(stops.passes && clock.ticksUsed === 0) && stops.breaksAt(linear, NOWHERE);
  }

  assist(id: number, record: number): number {
    try {
      if (id === ASSIST_BY_SITE) return this.assistBySite(record);
      if (id === ASSIST_DIVIDE_128) return divide128(this.core) ? record + L.RECORD : 0;
      if (id === ASSIST_CROSSING) return this.crossing(record);
      if (id === ASSIST_CHECK) return this.check(record);
      if (id === ASSIST_HOT) return this.core.translator.hot(record);
      if (id === ASSIST_VECTOR) {
        runSlow(this.core);
        return record + L.RECORD;
      }
      return 0;
    } catch (thrown) {
      this.core.stop = stopOf(thrown);
      return 0;
    }
  }

  private assistBySite(record: number): number {
    const site = this.code.site(record);
    const routine = ASSISTS.get(site.name);
    if (routine === undefined || site.instruction === undefined) {
      throw new GuestFault(site.name === 'overlong' ? VECTOR.GP : VECTOR.UD);
    }
    // Routines see rip of the instruction; those that go elsewhere set it and return 'jump'.
    this.goTo(record);
    if (this.stops.values !== undefined) this.clock.stopSoon();
    const outcome = routine(this.core, site.instruction);
    if (outcome === 'exit') return 0;
    if (outcome === 'next') return record + L.RECORD;
    if (outcome === 'serialize') return this.advance(record);
    return this.resolve();
  }

  /** Go on after `record` through a fresh lookup: modes or mappings may have changed. */
  private advance(record: number): number {
    this.state.ripFrom(L.RIP_PAGE, this.memory.view.getUint16(record + L.R_NEXT, true));
    return this.resolve();
  }

  /** A debugger's breakpoint may stand at this instruction, which has not begun: no tick is taken. */
  private check(record: number): number {
    const { clock, stops } = this;
    if (clock.emulating || (stops.passes && clock.ticksUsed === 0)) return record + L.RECORD;
    const rip = this.ripOf(record);
    const linear = this.linearOf(rip);
    const { view } = this.memory;
    const host = view.getUint32(record + L.R_PAGE, true) * 4096 + view.getUint16(record + L.R_OFFSET, true);
    if (!stops.breaksAt(linear, host)) return record + L.RECORD;
    this.state.rip = rip;
    this.fetching = true;
    return 0;
  }

  private crossing(record: number): number {
    const { view } = this.memory;
    const rip = this.ripOf(record);
    const offset = view.getUint16(record + L.R_OFFSET, true);
    const linear = this.linearOf(rip);
    const next = (linear - BigInt(offset) + 4096n) & this.memory.read64(L.LINEAR_MASK);
    const low = Number(BigInt.asIntN(32, next));
    const high = Number(BigInt.asIntN(32, next >> 32n));
    const { flushes } = this.mmu;
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) {
      this.state.rip = rip;
      this.fetching = true;
      return 0;
    }
    const hostPage = view.getUint32(record + L.R_PAGE, true);
    if (!this.code.hasRoom()) this.code.flush();
    if (this.mmu.flushes === flushes) {
      const mode = this.isBounded(rip) ? this.codeMode | MODE.bounded : this.codeMode;
      const whole = this.code.crossing(this.code.page(hostPage, mode), offset, host >>> 12);
      if (this.mmu.flushes === flushes) return this.endsBeyond(rip, this.code.lengthOf(whole)) ? 0 : whole;
    }
    // The page it begins on is not watched any more.
    this.state.rip = rip;
    return this.resolve();
  }

  /** RIP becomes that of a record on the current code page. */
  goTo(record: number): void {
    this.state.ripFrom(L.RIP_PAGE, this.memory.view.getUint16(record + L.R_OFFSET, true));
  }

  /** rip of a record on the current code page. */
  ripOf(record: number): bigint {
    const rip = this.memory.read64(L.RIP_PAGE) + BigInt(this.memory.view.getUint16(record + L.R_OFFSET, true));
    return BigInt.asUintN(64, rip) & this.memory.read64(L.RIP_MASK);
  }
}
