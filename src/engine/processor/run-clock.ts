import type { Core } from '../core/core.ts';
import type { HandlerInstance } from '../meanings/handlers.ts';
import * as L from '../state/layout.ts';
import type { EngineMemory } from '../state/memory.ts';

/** Ticks and time of the run under way: the same wherever a run is cut, and into whatever slices it falls. */
export class RunClock {
  private readonly core: Pick<Core, 'controls'>;
  private readonly memory: EngineMemory;
  private readonly ticks: HandlerInstance['ticks'];
  /** Ticks held back so that the loop stops early at the next boundary. */
  reserve = 0;
  /** Ticks used by the slices of the run that are over, and by deliveries. */
  executed = 0;
  /** What a run may call before it pauses. A handler is quick, whatever it does; a routine may cost a thousand. */
  callsPerRun = Number.POSITIVE_INFINITY;
  private callsLeft = 0;
  /** Handlers are running: the instruction at hand has taken its tick. */
  slicing = false;
  /** KVM emulates: what INS and OUTS use instead of an exit. */
  emulating = false;
  /** Between a VM entry and its exit; KVM's emulator and task switches lie outside. */
  inRun = false;

  constructor(core: Pick<Core, 'controls' | 'memory'>, ticks: HandlerInstance['ticks']) {
    this.core = core;
    this.memory = core.memory;
    this.ticks = ticks;
  }

  /** Ticks left in the current slice. */
  get ticksLeft(): number {
    return this.ticks.value + this.reserve;
  }
  /** End the slice after the current instruction, to look at conditions. */
  stopSoon(): void {
    this.reserve += this.ticks.value;
    this.ticks.value = 0;
  }

  begin(): void {
    this.executed = 0;
    this.callsLeft = this.callsPerRun;
  }
  /** A routine outside the handlers is called, or a slice begins. */
  called(): void {
    this.callsLeft -= 1;
    if (this.callsLeft === 0 && this.slicing) this.stopSoon();
  }
  /** The run is to end before its budget because it has called so much. */
  get isPaused(): boolean {
    return this.callsLeft <= 0;
  }

  /**
   * Ticks of the run under way up to and with the instruction at hand. The delivery of an event comes after what was
   * executed, and what KVM emulates is one instruction: between slices the counters still hold the last one's.
   */
  get ticksUsed(): number {
    if (this.slicing) return this.executed + this.memory.read32(L.TSC_TICKS) - this.ticksLeft;
    return this.emulating ? 1 : this.executed;
  }
  /** Ticks of the run under way before the instruction or event at hand. */
  get ticksBefore(): number {
    if (!this.inRun) return 0;
    return this.slicing ? Math.max(0, this.ticksUsed - 1) : this.executed;
  }

  /** Guest TSC at the start of the run; set by the engine. */
  tscAtStart = 0n;
  startTime(ticks: number): void {
    this.memory.write64(L.TSC_BASE, this.tscAtStart);
    this.memory.write32(L.TSC_TICKS, ticks);
  }
  advanceTime(used: number): void {
    this.tscAtStart += BigInt(used) * BigInt(this.memory.read32(L.TSC_PER_TICK));
  }
  /** Guest TSC now, from inside an assist. */
  timeStamp(): bigint {
    const elapsed = this.memory.read32(L.TSC_TICKS) - this.ticksLeft;
    return BigInt.asUintN(64, this.tscAtStart + BigInt(elapsed) * BigInt(this.memory.read32(L.TSC_PER_TICK)));
  }

  /**
   * PAUSE-loop exiting: whether this PAUSE is one too many. SDM Vol. 3, 26.1.3. Called from inside an assist. Whoever
   * spins comes by here all the time: no bigints.
   */
  pauseLoop(): boolean {
    const { memory } = this;
    const { pleGap, pleWindow } = this.core.controls;
    const elapsed = (memory.read32(L.TSC_TICKS) - this.ticksLeft) * memory.read32(L.TSC_PER_TICK);
    const sum = memory.read32(L.TSC_BASE) + elapsed;
    const low = sum >>> 0;
    const high = (memory.read32(L.TSC_BASE + 4) + Math.floor(sum / WORD)) >>> 0;
    const isNewLoop = sinceMoment(memory, L.PLE_LAST, low, high) > pleGap;
    writeMoment(memory, L.PLE_LAST, low, high);
    if (isNewLoop) writeMoment(memory, L.PLE_FIRST, low, high);
    if (sinceMoment(memory, L.PLE_FIRST, low, high) <= pleWindow) return false;
    writeMoment(memory, L.PLE_FIRST, low, high);
    return true;
  }
}

const WORD = 2 ** 32;

/** TSC since a moment that is kept at an address: exact where it is compared with 32 bits, negative before it. */
const sinceMoment = (memory: EngineMemory, at: number, low: number, high: number): number =>
  (high - memory.read32(at + 4)) * WORD + (low - memory.read32(at));

function writeMoment(memory: EngineMemory, at: number, low: number, high: number): void {
  memory.write32(at, low);
  memory.write32(at + 4, high);
}
