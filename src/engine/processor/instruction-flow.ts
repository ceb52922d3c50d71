import type { VmExit } from '../../x86/guest.ts';
import { ASSISTS } from '../assists/index.ts';
import { divide128 } from '../assists/divide.ts';
import { runSlow } from '../assists/vector.ts';
import { ACCESS } from '../emit/builder.ts';
import type { CodeCache } from '../code/cache.ts';
import { MODE } from '../state/mode.ts';
import { DebugRegisters } from './debug-registers.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import { ASSIST_DIVIDE_128 } from '../meanings/arithmetic.ts';
import { ASSIST_BY_SITE, ASSIST_CHECK, ASSIST_CROSSING } from '../meanings/pseudo.ts';
import { ASSIST_VECTOR } from '../meanings/vector/slow.ts';
import { MMIO } from '../mmu/mmu.ts';
import type { Processor } from './processor.ts';
import { NOTHING, type Stop, stopOf } from '../core/stop.ts';

/** Host address of code that is not mapped. */
const NOWHERE = -1;

/** From one instruction to the next: what the handlers call when they cannot go on by themselves. */
export abstract class InstructionFlow extends DebugRegisters {
  abstract readonly code: CodeCache;
  protected codeMode = 0;
  /** The stop happened while fetching: RIP is already right and no tick was taken for it. */
  protected fetching = false;

  /** The whole processor, for the routines. */
  protected abstract readonly self: Processor;
  protected abstract stopWith(stop: Stop): void;

  /** Find the record at RIP, decoding if need be. 0: a stop is described. */
  protected resolve(): number {
    const { memory } = this;
    const rip = memory.read64(L.RIP);
    const isBounded = this.isBounded(rip);
    if (isBounded && this.endsBeyond(rip, 1)) return 0;
    const linear = (rip + memory.read64(L.CODE_BASE)) & memory.read64(L.LINEAR_MASK);
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) {
      this.fetching = true;
      if (host === MMIO) this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
      if (this.breaksBeforeFault(linear)) this.stop = NOTHING;
      return 0;
    }
    const offset = low & 0xfff;
    const { flushes } = this.mmu;
    if (!this.code.hasRoom()) this.code.flush();
    const page = this.code.page(host >>> 12, isBounded ? this.codeMode | MODE.bounded : this.codeMode);
    const record = this.code.record(page, offset);
    // Nothing may be cached of a walk whose tables are not watched any more.
    if (this.mmu.flushes !== flushes) return this.resolve();
    if (!isBounded) this.mmu.fillExecute(low, high, host, page.table);
    else if (this.endsBeyond(rip, this.code.lengthOf(record))) return 0;
    memory.write64(L.RIP_PAGE, rip - BigInt(offset));
    return record;
  }

  /** The code segment ends in the page of `rip`, or before. */
  private isBounded(rip: bigint): boolean {
    return !this.state.code64 && rip >= this.memory.read64(L.CODE_END);
  }
  /** An instruction of `length` bytes does not lie in the code segment: #GP(0), which is described. SDM Vol. 3, 5.3. */
  private endsBeyond(rip: bigint, length: number): boolean {
    if (this.state.code64 || rip + BigInt(length) - 1n <= BigInt(this.state.limit(1))) return false;
    this.state.rip = rip;
    this.fetching = true;
    this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
    return true;
  }

  /** A breakpoint comes before the page fault of fetching its instruction. SDM Vol. 3, table 7-2. */
  private breaksBeforeFault(linear: bigint): boolean {
    const { self, stop, stops } = this;
    if (stop.kind !== 'fault' || stop.vector !== VECTOR.PF || self.emulating) return false;
    return !(stops.passes && self.ticksUsed === 0) && stops.breaksAt(linear, NOWHERE);
  }

  /** The instruction at hand ends in this VM exit: what a routine returns. */
  exitWith(exit: VmExit): 'exit' {
    this.stop = { kind: 'exit', exit };
    return 'exit';
  }

  protected assist(id: number, record: number): number {
    try {
      if (id === ASSIST_BY_SITE) return this.assistBySite(record);
      if (id === ASSIST_DIVIDE_128) return divide128(this.self) ? record + L.RECORD : 0;
      if (id === ASSIST_CROSSING) return this.crossing(record);
      if (id === ASSIST_CHECK) return this.check(record);
      if (id === ASSIST_VECTOR) {
        runSlow(this.self);
        return record + L.RECORD;
      }
      return 0;
    } catch (thrown) {
      this.stop = stopOf(thrown);
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
    this.state.rip = this.ripOf(record);
    if (this.stops.values !== undefined) this.stopSoon();
    const outcome = routine(this.self, site.instruction);
    if (outcome === 'exit') return 0;
    if (outcome === 'next') return record + L.RECORD;
    if (outcome === 'serialize') return this.advance(record);
    return this.resolve();
  }

  /** Go on after `record` through a fresh lookup: modes or mappings may have changed. */
  protected advance(record: number): number {
    const { view } = this.memory;
    const rip = this.memory.read64(L.RIP_PAGE) + BigInt(view.getUint16(record + L.R_NEXT, true));
    this.state.rip = BigInt.asUintN(64, rip) & this.memory.read64(L.RIP_MASK);
    return this.resolve();
  }

  /** A debugger's breakpoint may stand at this instruction, which has not begun: no tick is taken. */
  private check(record: number): number {
    const { self, stops } = this;
    if (self.emulating || (stops.passes && self.ticksUsed === 0)) return record + L.RECORD;
    const rip = this.ripOf(record);
    const linear = (rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
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
    const linear = (rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
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

  /** rip of a record on the current code page. */
  protected ripOf(record: number): bigint {
    const rip = this.memory.read64(L.RIP_PAGE) + BigInt(this.memory.view.getUint16(record + L.R_OFFSET, true));
    return BigInt.asUintN(64, rip) & this.memory.read64(L.RIP_MASK);
  }
}
