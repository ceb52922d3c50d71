import { unreachable } from '../../base/invariant.ts';
import { PRIMARY, SECONDARY } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { type ExecutionControls, NO_CONTROLS, type VmExit } from '../../x86/guest.ts';
import { CodeCache } from '../code/cache.ts';
import { hasErrorCode, VECTOR, vmExit } from '../core/fault.ts';
import type { HandlerInstance } from '../meanings/handlers.ts';
import { type Execution, translatorFor } from '../translate/bound.ts';
import type { Translator } from '../translate/translator.ts';
import { DebugRegisters } from './debug-registers.ts';
import { EventDelivery } from './event-delivery.ts';
import { type Executing, InstructionFlow } from './instruction-flow.ts';
import { LinearAccess } from './linear-access.ts';
import * as L from '../state/layout.ts';
import { DebuggerStops } from '../core/debugger-stops.ts';
import { RunClock } from './run-clock.ts';
import { MMIO_NEEDED, NOTHING, type Stop } from '../core/stop.ts';
import type { EngineMemory } from '../state/memory.ts';
import { Mmu } from '../mmu/mmu.ts';
import { refusedByStack } from './stack-access.ts';
import { undoStrayBranch } from './stray-branch.ts';
import { CpuState } from '../state/state.ts';
import { BLOCKED_BY, DR6, RFLAGS } from '../../x86/registers.ts';

const SHADOWS = BLOCKED_BY.STI | BLOCKED_BY.MOV_SS;

/** One processor core: runs the architectural block that is in memory now. */
export class Processor extends LinearAccess implements Executing {
  readonly code: CodeCache;
  readonly mmu: Mmu;
  readonly stops = new DebuggerStops({
    changed: (offsets) => {
      const { read, written } = this.stops.hostPages();
      this.mmu.tap(read, written);
      this.code.check(offsets);
      this.debug.changed();
    },
    cr3: () => this.memory.read64(L.CR3),
  });
  controls: ExecutionControls = NO_CONTROLS;
  readonly clock: RunClock;
  readonly debug: DebugRegisters;
  readonly events: EventDelivery;
  private readonly flow: InstructionFlow;
  private readonly wasm: HandlerInstance;
  /** Next 64 bits of the recorded entropy stream, for RDRAND and RDSEED. */
  seed: () => bigint = () => 0n;

  readonly translator: Translator;

  constructor(memory: EngineMemory, eptWords: Uint32Array, by: Execution) {
    super(memory, new CpuState(memory));
    this.wasm = by.instantiate(by.handlers.module, {
      memory: memory.memory,
      translate: (low: number, high: number, want: number) => {
        this.clock.called();
        return this.mmu.translate(low, high, want);
      },
      commit: () => this.mmu.commit(),
      resolve: () => {
        this.clock.called();
        return this.flow.resolve();
      },
      assist: (id: number, record: number) => {
        this.clock.called();
        return this.flow.assist(id, record);
      },
    });
    this.mmu = new Mmu(memory, eptWords, {
      pageFault: (low, high, error) => this.stopWithPageFault(low, high, error),
      nonCanonical: () => {
        this.refused = true;
        this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
      },
      exit: (exit) => this.stopWith({ kind: 'exit', exit }),
      needsMmio: (gpa, length) => this.stopWith({ kind: 'mmio', gpa, length }),
      codeWritten: (page, offset, length) => {
        // A repeated instruction that overwrites itself is another from its next iteration on.
        if (this.code.written(page, offset, length) && this.clock.slicing) this.clock.stopSoon();
      },
      tappedWritten: (host, bytes, by) => {
        const writer = this.events.delivering && by === 'instruction' ? 'delivery' : by;
        const ticks = by === 'outside' ? 0 : this.clock.ticksBefore;
        if (this.stops.noticeWrite(host, bytes, writer, ticks)) this.clock.stopSoon();
      },
      tappedRead: (host, size, access) => {
        if (this.stops.noticeRead(host, size, access)) this.clock.stopSoon();
      },
      setContext: (context) => {
        this.wasm.context.value = context;
      },
      dropped: () => {
        if (this.clock.slicing) this.clock.stopSoon();
      },
    });
    this.code = new CodeCache(memory, by.handlers.slots, {
      onWatch: (page) => this.mmu.watchCode(page),
      onUnwatch: (page) => this.mmu.unwatchCode(page),
      onFlush: () => this.mmu.flush(),
    });
    const { wasm: instance, code } = this;
    this.translator = translatorFor({ memory, instance, by, code, mode: () => this.flow.codeMode });
    this.clock = new RunClock(this, this.wasm.ticks);
    this.debug = new DebugRegisters(this);
    this.events = new EventDelivery(this);
    this.flow = new InstructionFlow(this);
    this.refresh();
  }

  // Mode changes.

  /** Everything derived from registers: call after loading a block or changing control registers. */
  refresh(): void {
    const { primary, secondary } = this.controls;
    // RDTSC exits, or RDTSCP is not enabled.
    this.state.tscExits =
      (primary & PRIMARY.RDTSC_EXITING) !== 0 ||
      ((primary & PRIMARY.SECONDARY_CONTROLS) !== 0 && (secondary & SECONDARY.RDTSCP) === 0);
    this.flow.codeMode = this.state.derive();
    this.mmu.codeMode = this.flow.codeMode;
    this.mmu.second.setPointer((this.controls.secondary & SECONDARY.EPT) !== 0 ? this.controls.eptPointer : 0n);
    this.mmu.refresh();
    this.debug.changed();
  }
  /** Segments, CPL or AC changed. */
  modeChanged(): void {
    this.flow.codeMode = this.state.derive();
    this.mmu.codeMode = this.flow.codeMode;
    this.mmu.select();
  }

  // Stops.

  /** The instruction at hand ends in this VM exit. */
  exitWith(exit: VmExit): 'exit' {
    this.stop = { kind: 'exit', exit };
    return 'exit';
  }
  stopWith(stop: Stop): void {
    this.stop = stop;
    this.memory.write32(L.STOP_CODE, L.STOP.memory);
  }
  private stopWithPageFault(low: number, high: number, error: number): void {
    // CR2 is written only when the fault is delivered; until then it waits here.
    this.events.faultAddress = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    this.stopWith({ kind: 'fault', vector: VECTOR.PF, error });
  }

  // Running.

  /** The instruction at hand retires although it exits (trap-like exits). */
  retireBeforeExit(): void {
    this.trapLike = true;
  }
  private trapLike = false;

  /**
   * Run from RIP for at most `budget` ticks. Returns the exit, or undefined when the budget ended or the run pauses;
   * `executed` tells how many ticks were used.
   */
  run(budget: number): VmExit | undefined {
    this.clock.begin();
    while (this.clock.executed < budget) {
      if (this.clock.isPaused) return undefined;
      this.clock.called();
      if (this.stops.values !== undefined) this.stops.compareValues();
      if (this.stops.isHit) return undefined;
      const window = this.windowExit();
      if (window !== undefined) return window;
      const after = this.breaksHere() ? this.raiseBreakpoint() : this.sliceUpTo(budget - this.clock.executed);
      if (after !== undefined) return after;
    }
    return this.windowExit();
  }
  private sliceUpTo(left: number): VmExit | undefined {
    this.clock.executed += this.slice(this.singleStepping() ? 1 : left);
    return this.afterSlice();
  }
  /** A breakpoint in the guest's debug registers comes before its instruction. */
  private raiseBreakpoint(): VmExit | undefined {
    const exit = this.events.debugException(this.debug.codeHits());
    if (exit === undefined) this.delivered();
    return exit;
  }
  /** A delivery counts as a tick, so that a guest that only faults still uses up its budget. */
  private delivered(): void {
    this.clock.executed += 1;
    this.clock.advanceTime(1);
  }

  private singleStepping(): boolean {
    return this.state.flag(RFLAGS.TF) || this.debug.watchesCode() || this.stops.steps;
  }

  /** Run the one instruction at RIP for KVM's emulator: windows and traps are KVM's business. */
  emulateOne(): VmExit | undefined {
    const used = this.slice(1);
    this.clock.executed += used;
    this.steppedOver = false;
    this.emulatedHits = used === 0 || this.holdsTraps() ? 0 : this.debug.takeHits();
    return this.afterSlice();
  }
  /** DR6 bits of the breakpoints that the instruction KVM emulated met. */
  emulatedHits = 0;

  /**
   * Breakpoints that MOV SS held back for an instruction which exited and was completed outside: they come with the
   * entry. SDM Vol. 3, 27.7.3.
   */
  enteringTrap(): VmExit | undefined {
    if (this.memory.read32(L.PENDING_DEBUG) === 0 || this.holdsTraps()) return undefined;
    const exit = this.events.debugException(this.debug.takeHits());
    if (exit === undefined) this.delivered();
    return exit;
  }

  /** KVM waits for a moment at which interrupts, or NMIs, can be taken. */
  private windowExit(): VmExit | undefined {
    const { primary } = this.controls;
    const { INTERRUPT_WINDOW_EXITING, NMI_WINDOW_EXITING } = PRIMARY;
    if ((primary & INTERRUPT_WINDOW_EXITING) !== 0 && this.state.flag(RFLAGS.IF) && !this.shadowed()) {
      return vmExit({ reason: EXIT.INTERRUPT_WINDOW });
    }
    if ((primary & NMI_WINDOW_EXITING) !== 0 && !this.nmiBlocked() && !this.shadowed()) {
      return vmExit({ reason: EXIT.NMI_WINDOW });
    }
    return undefined;
  }
  private breaksHere(): boolean {
    return this.debug.watchesCode() && this.debug.codeHits() !== 0;
  }

  /** STI or MOV SS shadow covers the next instruction. */
  shadowed(): boolean {
    return (this.memory.read32(L.INTERRUPTIBILITY) & SHADOWS) !== 0;
  }
  /** MOV SS was the last instruction: what is to be reported waits for the next. */
  private holdsTraps(): boolean {
    return (this.memory.read32(L.INTERRUPTIBILITY) & BLOCKED_BY.MOV_SS) !== 0;
  }
  private nmiBlocked(): boolean {
    return (this.memory.read32(L.INTERRUPTIBILITY) & BLOCKED_BY.NMI) !== 0;
  }
  /** STI (1) or MOV SS (2) was executed: interrupts wait one instruction more. */
  shadow(kind: 1 | 2): void {
    const held = this.memory.read32(L.INTERRUPTIBILITY);
    this.memory.write32(L.INTERRUPTIBILITY, (held & ~SHADOWS) | kind);
    this.shadowFresh = true;
    this.clock.stopSoon();
  }
  private shadowFresh = false;
  /** RFLAGS were loaded: traps and windows may be due at the next boundary. */
  flagsLoaded(): void {
    const { primary } = this.controls;
    const opens = (primary & PRIMARY.INTERRUPT_WINDOW_EXITING) !== 0;
    const due = this.state.flag(RFLAGS.TF) || (this.state.flag(RFLAGS.IF) && opens);
    if (due || (primary & PRIMARY.NMI_WINDOW_EXITING) !== 0) this.clock.stopSoon();
  }

  private slice(ticks: number): number {
    const { memory, wasm } = this;
    const stepping = this.state.flag(RFLAGS.TF);
    const wasShadowed = this.shadowed();
    const resumes = this.state.flag(RFLAGS.RF);
    this.debug.heldHits = memory.read32(L.PENDING_DEBUG);
    const take = wasShadowed || resumes ? 1 : ticks;
    this.stop = NOTHING;
    this.flow.fetching = false;
    this.clock.reserve = 0;
    this.shadowFresh = false;
    this.resumeFresh = false;
    this.refused = false;
    memory.write32(L.SHADOW_TICKS, 0xffffffff);
    memory.write32(L.WINDOW_WANTED, this.controls.primary & PRIMARY.INTERRUPT_WINDOW_EXITING);
    this.clock.startTime(take);
    wasm.ticks.value = take;
    wasm.fault.value = 0;
    this.lastRecord = this.flow.resolve();
    if (this.lastRecord !== 0) {
      this.clock.slicing = true;
      const end = wasm.dispatch(this.lastRecord);
      this.clock.slicing = false;
      if (end !== 0) {
        this.flow.goTo(end);
        this.lastRecord = 0;
      } else this.lastRecord = memory.read32(L.STOP_UOP);
    }
    this.settleStop();
    const used = take - wasm.ticks.value - this.clock.reserve;
    this.clock.advanceTime(used);
    // That the next instruction cannot be fetched is found again, after what is due before it.
    if (used > 0 && this.flow.fetching) this.stop = NOTHING;
    // STI's shadow is still on when nothing retired after it.
    const freshSti = memory.read32(L.SHADOW_TICKS) === wasm.ticks.value + this.clock.reserve;
    if (used > 0 && wasShadowed && !this.shadowFresh) this.endShadow();
    if (used > 0 && resumes && !this.resumeFresh) this.state.clearFlag(RFLAGS.RF);
    if (freshSti) memory.write32(L.INTERRUPTIBILITY, memory.read32(L.INTERRUPTIBILITY) | BLOCKED_BY.STI);
    this.hasRetired = used > 0;
    this.steppedOver = (this.trapsNow ?? stepping) && this.hasRetired;
    this.trapsNow = undefined;
    return used;
  }
  /** IRET loaded RF: it holds for the next instruction and is cleared after it. SDM Vol. 3, 18.3.1.1. */
  resumeLoaded(): void {
    if (!this.state.flag(RFLAGS.RF)) return;
    this.resumeFresh = true;
    this.clock.stopSoon();
  }
  private resumeFresh = false;
  /** A memory access met a non-canonical address. */
  private refused = false;
  /** The STI/MOV SS shadow is over. */
  endShadow(): void {
    this.memory.write32(L.INTERRUPTIBILITY, this.memory.read32(L.INTERRUPTIBILITY) & ~SHADOWS);
  }
  private lastRecord = 0;
  private hasRetired = false;
  private steppedOver = false;
  /** Whether a single-step trap follows the instruction at hand whatever TF was before it. */
  private trapsNow: boolean | undefined;
  /** TF counts as it is after SYSCALL and SYSRET; delivering an event leaves no trap behind. SDM Vol. 3, 18.3.1.4. */
  trapByFlagNow(): void {
    this.trapsNow = this.state.flag(RFLAGS.TF);
    if (this.trapsNow) this.clock.stopSoon();
  }

  /** Put RIP and the tick counter right after a handler stopped. */
  private settleStop(): void {
    if (this.wasm.fault.value !== 0 || this.memory.read32(L.STOP_CODE) === L.STOP.fault) {
      if (this.stop.kind === 'none') {
        this.stop = {
          kind: 'fault',
          vector: this.memory.read32(L.FAULT_VECTOR),
          error: this.memory.read32(L.FAULT_ERROR),
        };
      }
      this.wasm.fault.value = 0;
    }
    this.memory.write32(L.STOP_CODE, L.STOP.resume);
    if (this.stop.kind === 'none') return;
    if (this.flow.fetching) {
      if (this.refused && this.lastRecord !== 0 && undoStrayBranch(this, this.flow.ripOf(this.lastRecord))) {
        this.wasm.ticks.value += 1;
      }
      this.refused = false;
      return;
    }
    if (this.lastRecord === 0) return;
    if (this.trapLike) {
      this.trapLike = false;
      return;
    }
    this.flow.goTo(this.lastRecord);
    this.wasm.ticks.value += 1;
    this.memory.write32(L.PENDING_DEBUG, this.debug.heldHits);
    this.stops.drop();
  }

  private afterSlice(): VmExit | undefined {
    const { stop } = this;
    this.stop = NOTHING;
    switch (stop.kind) {
      case 'none':
        break;
      case 'exit':
        return stop.exit;
      case 'mmio':
        this.needed = { gpa: stop.gpa, length: stop.length };
        return vmExit({ reason: MMIO_NEEDED });
      case 'fault': {
        const vector = stop.vector === VECTOR.GP && this.refused && refusedByStack(this) ? VECTOR.SS : stop.vector;
        if (this.clock.emulating) return this.events.emulatedFault(vector, stop.error);
        const error = hasErrorCode(vector) ? { error: stop.error } : {};
        const exit = this.events.raise({ type: 'exception', vector, length: 0, ...error });
        if (exit === undefined) this.delivered();
        return exit;
      }
      default:
        return unreachable(stop);
    }
    if (!this.hasRetired) return undefined;
    // MOV SS holds debug exceptions back for one instruction; its own single-step trap is lost. SDM Vol. 3, 6.8.3.
    if (this.shadowFresh && this.holdsTraps()) {
      this.steppedOver = false;
      return undefined;
    }
    const hits = (this.steppedOver ? DR6.BS : 0) | this.debug.takeHits();
    this.steppedOver = false;
    return hits === 0 ? undefined : this.events.debugException(hits);
  }
  needed = { gpa: 0, length: 0 };
}
