import { invariant } from '../base/invariant.ts';
import type { Gpa, Gva, Hva } from '../base/units.ts';
import {
  NO_EXIT,
  type Emulated,
  type ExecutionControls,
  type Guest,
  type GuestStop,
  type MemoryOfGuest,
  type MmioAccess,
  type Registers,
  type TaskSwitch,
  type TaskSwitched,
  type VmExit,
  VCPUS_MAX,
} from '../x86/guest.ts';
import { PRIMARY } from '../x86/controls.ts';
import { EPT_PAGE_WORDS, tablePages } from '../memory/ept-pool.ts';
import { switchTask } from './assists/task.ts';
import type { DebuggerStops } from './core/debugger-stops.ts';
import { emulateOne, emulateStringPort } from './processor/emulation.ts';
import * as L from './state/layout.ts';
import { EngineMemory } from './state/memory.ts';
import { FollowedTables, type TableWrite } from './mmu/followed-tables.ts';
import { takeFlagged } from './mmu/page-flags.ts';
import { EVENT_TYPE, type GuestEvent } from './core/event.ts';
import { exitOperands } from './processor/exit-operands.ts';
import { Processor } from './processor/processor.ts';
import { registersOf } from './processor/registers.ts';
import { resetBlock } from './processor/reset.ts';
import { type ExecutionOptions, executionFor } from './translate/bound.ts';

/** What an engine is made for. */
export interface EngineOptions extends ExecutionOptions {
  /** Host memory for guest RAM and ROM, bytes; rounded up to 64 KiB. */
  readonly hostBytes: number;
  /** Host TSC as of the last tick the machine counted. */
  hostTsc(): bigint;
  readonly tscPerTick: number;
  /** 64 bits of recorded entropy for RDRAND and RDSEED, `ticks` into the run: those before the drawing instruction. */
  random(ticks: number): bigint;
  /** Routines outside the handlers that a run calls before it pauses, so that others are heard; without: any number. */
  readonly callsPerRun?: number;
  /** Given: the guest's writes to its own page tables are told, with the ticks of the run up to and with each. */
  readonly onTableWrite?: (write: TableWrite, vcpu: number, ticks: number) => void;
}

/** A range of bytes that is state. */
export interface EngineRegion {
  readonly name: string;
  bytes(): Uint8Array;
  takeDirty(): readonly number[] | undefined;
  restored(pages: readonly number[]): void;
}

/** The processors of one machine, and its host memory. */
export interface GuestEngine extends Guest {
  readonly processor: Processor;
  readonly regions: readonly EngineRegion[];
  /** Bring a vCPU's block in, so that `processor` shows it. */
  select(vcpu: number): void;
  /**
   * Forget everything that is cached: translations, walks of extended page tables, decoded code. Between runs, at any
   * moment: neither the guest nor anybody who watches can tell.
   */
  dropCaches(): void;
  /** How often caches were filled since the start. */
  readonly cacheFills: CacheFills;
}

/** What was entered into the caches. */
export interface CacheFills {
  readonly translations: number;
  /** Guest-physical pages found through extended page tables. */
  readonly guestPages: number;
  readonly codePages: number;
}

const EVENT_NAMES = Object.fromEntries(Object.entries(EVENT_TYPE).map(([name, type]) => [type, name])) as Readonly<
  Record<number, GuestEvent['type']>
>;

/** Make the engine. */
export function createEngine(options: EngineOptions): GuestEngine {
  return new Engine(options);
}

class Engine implements GuestEngine {
  readonly eptWords: Uint32Array;
  readonly processor: Processor;
  readonly regions: readonly EngineRegion[];
  private readonly memory: EngineMemory;
  private readonly options: EngineOptions;
  private readonly controls: ExecutionControls[] = [];
  private readonly views: Registers[] = [];
  private selected = 0;
  /** The selected block's modes changed behind the processor's back. */
  private stale = true;

  constructor(options: EngineOptions) {
    this.options = options;
    const hostBytes = Math.ceil(options.hostBytes / 65536) * 65536;
    this.memory = new EngineMemory(hostBytes);
    this.eptWords = new Uint32Array(tablePages(hostBytes) * EPT_PAGE_WORDS);
    this.processor = new Processor(this.memory, this.eptWords, executionFor(options));
    this.processor.clock.callsPerRun = options.callsPerRun ?? Number.POSITIVE_INFINITY;
    this.processor.seed = () => options.random(this.processor.clock.ticksBefore);
    this.memory.write32(L.TSC_PER_TICK, options.tscPerTick);
    this.regions = [this.hostRegion(), this.eptRegion(), this.blockRegion(), ...this.followTables()];
  }

  get eptWritten(): Uint8Array {
    return this.processor.mmu.second.written;
  }

  // Bytes that are state.

  get stops(): DebuggerStops {
    return this.processor.stops;
  }

  /** Report the guest's page-table writes, when asked to; which pages are tables is state. */
  private followTables(): EngineRegion[] {
    const { onTableWrite } = this.options;
    if (onTableWrite === undefined) return [];
    const { mmu } = this.processor;
    const followed = new FollowedTables(this.memory, mmu.flags, (write) => {
      onTableWrite(write, this.selected, this.processor.clock.ticksUsed);
    });
    mmu.guest.followed = followed;
    const bytes = new Uint8Array(followed.frames.buffer);
    return [
      { name: 'page-table pages', bytes: () => bytes, takeDirty: () => undefined, restored: () => followed.restored() },
    ];
  }

  private hostRegion(): EngineRegion {
    const bytes = this.memory.u8.subarray(L.HOST_MEMORY, L.HOST_MEMORY + this.memory.hostBytes);
    const { mmu } = this.processor;
    return {
      name: 'host memory',
      bytes: () => bytes,
      takeDirty: () => mmu.takeDirty(),
      // Translations went with the dirty flags, which were taken before.
      restored: (pages) => this.processor.code.replaced(pages),
    };
  }
  private eptRegion(): EngineRegion {
    const bytes = new Uint8Array(this.eptWords.buffer);
    return {
      name: 'EPT pages',
      bytes: () => bytes,
      takeDirty: () => takeFlagged(this.eptWritten, 1),
      restored: () => this.invalidateEpt(),
    };
  }
  private blockRegion(): EngineRegion {
    return {
      name: 'register blocks',
      bytes: () => {
        this.save();
        const count = Math.max(1, this.controls.length);
        return this.memory.u8.subarray(L.VCPU_BLOCKS, L.VCPU_BLOCKS + count * L.BLOCK_SIZE);
      },
      takeDirty: () => undefined,
      restored: () => {
        this.memory.u8.copyWithin(L.BLOCK, this.blockOf(this.selected), this.blockOf(this.selected) + L.BLOCK_SIZE);
        this.stale = true;
      },
    };
  }

  dropCaches(): void {
    const { code, mmu } = this.processor;
    mmu.second.forget();
    code.flush();
  }
  get cacheFills(): CacheFills {
    const { code, mmu } = this.processor;
    return { translations: mmu.fills, guestPages: mmu.second.fills, codePages: code.pagesDecoded };
  }

  private blockOf(vcpu: number): number {
    return L.VCPU_BLOCKS + vcpu * L.BLOCK_SIZE;
  }
  /** Copy the running block to its place, with derived and lazy parts in their one canonical form. */
  private save(): void {
    const { memory, processor } = this;
    const { state } = processor;
    const at = this.blockOf(this.selected);
    const flags = state.rflags;
    state.rflags = flags;
    memory.write64(L.RIP_PAGE, 0n);
    memory.u8.copyWithin(at, L.BLOCK, L.BLOCK + L.BLOCK_SIZE);
  }

  select(vcpu: number): void {
    if (vcpu === this.selected) return;
    invariant(vcpu < this.controls.length, 'the vCPU exists', { vcpu });
    this.save();
    this.selected = vcpu;
    this.memory.u8.copyWithin(L.BLOCK, this.blockOf(vcpu), this.blockOf(vcpu) + L.BLOCK_SIZE);
    this.processor.controls = this.controls[vcpu] as ExecutionControls;
    this.stops.vcpu = vcpu;
    this.stale = true;
  }

  // Guest: vCPUs and registers.

  addVcpu(): number {
    const vcpu = this.controls.length;
    invariant(vcpu < VCPUS_MAX, 'there is room for the vCPU', { vcpu });
    this.controls.push(this.processor.controls);
    if (vcpu > 0) {
      const before = this.selected;
      this.save();
      this.selected = vcpu;
      resetBlock(this.processor, 'reset');
      this.select(before);
    } else resetBlock(this.processor, 'reset');
    this.stale = true;
    const select = (): void => this.select(vcpu);
    const changed = (): void => {
      this.stale = true;
    };
    this.views.push(registersOf(this.processor, select, changed));
    return vcpu;
  }
  registers(vcpu: number): Registers {
    const view = this.views[vcpu];
    invariant(view !== undefined, 'the vCPU exists', { vcpu });
    return view;
  }
  resetVcpu(vcpu: number, kind: 'reset' | 'init'): void {
    this.select(vcpu);
    resetBlock(this.processor, kind);
    this.stale = true;
  }
  setControls(vcpu: number, controls: ExecutionControls): void {
    this.controls[vcpu] = controls;
    if (vcpu !== this.selected) return;
    const old = this.processor.controls;
    this.processor.controls = controls;
    const tsc = ((old.primary ^ controls.primary) & PRIMARY.RDTSC_EXITING) !== 0;
    if (tsc || old.eptPointer !== controls.eptPointer || old.secondary !== controls.secondary) this.stale = true;
  }
  setGpr(vcpu: number, index: number, value: bigint): void {
    this.select(vcpu);
    this.processor.state.setGpr(index, value);
  }
  setRip(vcpu: number, rip: bigint): void {
    this.select(vcpu);
    this.processor.state.rip = rip;
  }
  skipInstruction(vcpu: number, length: number): void {
    this.select(vcpu);
    const { processor } = this;
    this.refresh();
    processor.state.advanceRip(length);
    processor.endShadow();
  }

  private refresh(): void {
    if (!this.stale) return;
    this.stale = false;
    const { processor } = this;
    const { mode } = processor.mmu;
    processor.refresh();
    if (this.memory.read32(L.POINTERS_DUE) === 0) return;
    this.memory.write32(L.POINTERS_DUE, 0);
    // They are registers, which the guest's memory changes no more: KVM loads them with CR0, CR3 and CR4.
    if (mode.paging && mode.pae && !mode.long) this.loadPaePointers();
  }
  private loadPaePointers(): void {
    const { processor, memory } = this;
    const base = memory.read64(L.CR3) & 0xffff_ffe0n;
    processor.physicalRead64(base, 4).forEach((entry, i) => {
      memory.write64(L.PDPTE + 8 * i, entry);
    });
    processor.mmu.refresh();
  }

  // Guest: running.

  run(vcpu: number, budget: number, inject: { info: number; errorCode: number; length: number }): GuestStop {
    this.select(vcpu);
    this.refresh();
    const { processor } = this;
    processor.clock.tscAtStart = BigInt.asUintN(64, this.options.hostTsc() + processor.controls.tscOffset);
    processor.clock.executed = 0;
    processor.clock.inRun = true;
    let exit: VmExit | undefined;
    exit = inject.info >>> 31 === 1 ? this.inject(inject) : processor.enteringTrap();
    if (exit === undefined) exit = processor.run(budget);
    processor.clock.inRun = false;
    if (budget > 0) this.stops.passes = false;
    if (exit !== undefined || processor.clock.executed >= budget) return this.stopped(exit);
    if (this.stops.isHit) return { ...this.stopped(exit), why: 'break' };
    return processor.clock.isPaused ? { ...this.stopped(exit), why: 'pause' } : this.stopped(exit);
  }

  private inject(how: { info: number; errorCode: number; length: number }): VmExit | undefined {
    const type = EVENT_NAMES[(how.info >>> 8) & 7];
    invariant(type !== undefined, 'the injected event has a known type', { info: how.info });
    const error = (how.info & 0x800) !== 0 ? { error: how.errorCode } : {};
    this.memory.write32(L.ACTIVITY, 0);
    return this.processor.events.injectEvent({ type, vector: how.info & 0xff, length: how.length, ...error });
  }

  private stopped(exit: VmExit | undefined): GuestStop {
    const { state } = this.processor;
    const { memory } = this;
    const { a0, a1, a2, a3, a4, a5 } = exitOperands(state, exit);
    return {
      why: exit === undefined ? 'budget' : 'exit',
      exit: exit ?? NO_EXIT,
      ticks: this.processor.clock.executed,
      rip: state.rip,
      rflags: state.rflags,
      interruptibility: memory.read32(L.INTERRUPTIBILITY),
      cr8: memory.read32(L.CR8),
      a0,
      a1,
      a2,
      a3,
      a4,
      a5,
    };
  }

  emulate(vcpu: number, reads: readonly MmioAccess[], memory: MemoryOfGuest): Emulated {
    this.select(vcpu);
    this.refresh();
    const { processor } = this;
    processor.clock.emulating = true;
    processor.mmu.startEmulation(reads);
    processor.mmu.second.slots = memory;
    processor.clock.tscAtStart = BigInt.asUintN(64, this.options.hostTsc() + processor.controls.tscOffset);
    try {
      return emulateStringPort(processor, reads) ?? emulateOne(processor);
    } finally {
      processor.clock.emulating = false;
      processor.mmu.endEmulation();
      processor.mmu.second.slots = undefined;
    }
  }

  taskSwitch(vcpu: number, task: TaskSwitch, memory: MemoryOfGuest): TaskSwitched {
    this.select(vcpu);
    this.refresh();
    const { processor } = this;
    processor.clock.emulating = true;
    processor.mmu.startEmulation([]);
    processor.mmu.second.slots = memory;
    try {
      return switchTask(processor, task);
    } finally {
      this.stale = true;
      processor.clock.emulating = false;
      processor.mmu.endEmulation();
      processor.mmu.second.slots = undefined;
    }
  }

  // Guest: memory.

  readHost(hva: Hva, length: number): Uint8Array {
    invariant(hva >= 0 && hva + length <= this.memory.hostBytes, 'host memory reads stay inside it', { hva, length });
    return this.memory.u8.slice(L.HOST_MEMORY + hva, L.HOST_MEMORY + hva + length);
  }
  writeHost(hva: Hva, bytes: Uint8Array): void {
    const { hostBytes } = this.memory;
    invariant(hva >= 0 && hva + bytes.length <= hostBytes, 'host memory writes stay inside it', {
      hva,
      length: bytes.length,
    });
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, 4096 - ((hva + at) % 4096));
      this.processor.mmu.writeWatched(L.HOST_MEMORY + hva + at, bytes.subarray(at, at + length), 'outside');
      at += length;
    }
  }
  invalidateEpt(): void {
    this.processor.mmu.second.forget();
    this.processor.mmu.flush();
  }
  translate(vcpu: number, linear: Gva): { gpa: Gpa; entries: readonly bigint[] } | undefined {
    this.select(vcpu);
    this.refresh();
    const found = this.processor.mmu.peek(Number(BigInt.asIntN(32, linear)), Number(BigInt.asIntN(32, linear >> 32n)));
    return found === undefined ? undefined : { gpa: found.gpa, entries: found.entries };
  }
}
