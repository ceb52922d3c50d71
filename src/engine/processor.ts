import type { ExecutionControls, VmExit } from '../kvm/guest.ts';
import { ACCESS } from './builder.ts';
import { CodeCache } from './code/cache.ts';
import { type GuestEvent, interruptionInfo } from './event.ts';
import { GuestExit, GuestFault, hasErrorCode, isContributory, MmioNeeded, VECTOR, vmExit } from './fault.ts';
import { buildHandlers } from './handlers.ts';
import { ASSISTS } from './assists/index.ts';
import { deliver } from './assists/deliver.ts';
import { divide128 } from './assists/divide.ts';
import { runSlow } from './assists/vector.ts';
import * as L from './layout.ts';
import { ASSIST_DIVIDE_128 } from './meanings/arithmetic.ts';
import { ASSIST_BY_SITE, ASSIST_CROSSING } from './meanings/control.ts';
import { ASSIST_VECTOR } from './meanings/vector/slow.ts';
import type { EngineMemory } from './memory.ts';
import { FAILED, Mmu, MMIO } from './mmu/mmu.ts';
import { CpuState } from './state.ts';

/** Compiled handlers are the same for every engine of one memory size: instantiated by `host`'s hook. */
export interface HandlerInstance {
  dispatch(record: number): number;
  ticks: { value: number };
  fault: { value: number };
  context: { value: bigint };
}

export type Instantiate = (bytes: Uint8Array, env: WebAssembly.ModuleImports) => HandlerInstance;

/** What stopped the dispatch loop. */
type Stop =
  | { readonly kind: 'none' }
  | { readonly kind: 'fault'; readonly vector: number; readonly error: number }
  | { readonly kind: 'exit'; readonly exit: VmExit }
  | { readonly kind: 'mmio'; readonly gpa: number; readonly length: number };

const NOTHING: Stop = { kind: 'none' };
const EMPTY_CONTROLS: ExecutionControls = {
  pin: 0, primary: 0, secondary: 0, exceptionBitmap: 0, pageFaultErrorCodeMask: 0, pageFaultErrorCodeMatch: 0,
  cr0Mask: 0n, cr0Shadow: 0n, cr4Mask: 0n, cr4Shadow: 0n,
  ioBitmap: new Uint8Array(8192), msrBitmap: new Uint8Array(4096), tscOffset: 0n, eptPointer: 0n, tprThreshold: 0,
  pleGap: 0, pleWindow: 0,
};

/** One processor core: runs the architectural block that is in memory now. */
export class Processor {
  readonly memory: EngineMemory;
  readonly state: CpuState;
  readonly mmu: Mmu;
  readonly code: CodeCache;
  controls: ExecutionControls = EMPTY_CONTROLS;
  /** What INS and OUTS use instead of an exit while KVM emulates. */
  emulating = false;
  private readonly wasm: HandlerInstance;
  private stop: Stop = NOTHING;
  /** The stop happened while fetching: RIP is already right and no tick was taken for it. */
  private fetching = false;
  private codeMode = 0;
  /** Ticks held back so that the loop stops early at the next boundary. */
  private reserve = 0;
  /** Next 64 bits of the recorded entropy stream, for RDRAND and RDSEED. */
  seed: () => bigint = () => 0n;

  constructor(memory: EngineMemory, eptWords: Uint32Array, instantiate: Instantiate) {
    this.memory = memory;
    this.state = new CpuState(memory);
    const { bytes, slots } = buildHandlers(memory.pages);
    this.wasm = instantiate(bytes, {
      memory: memory.memory,
      translate: (low: number, high: number, want: number) => this.mmu.translate(low, high, want),
      commit: () => this.mmu.commit(),
      resolve: () => this.resolve(),
      assist: (id: number, record: number) => this.assist(id, record),
    });
    this.mmu = new Mmu(memory, eptWords, {
      pageFault: (low, high, error) => this.stopWithPageFault(low, high, error),
      nonCanonical: () => this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 }),
      exit: (exit) => this.stopWith({ kind: 'exit', exit }),
      needsMmio: (gpa, length) => this.stopWith({ kind: 'mmio', gpa, length }),
      codeWritten: (page, offset, length) => this.code.written(page, offset, length),
      setContext: (context) => {
        this.wasm.context.value = context;
      },
    });
    this.code = new CodeCache(memory, slots, {
      onWatch: (page) => this.mmu.watchCode(page),
      onFlush: () => this.mmu.flush(),
    });
    this.refresh();
  }

  // Mode changes.

  /** Everything derived from registers: call after loading a block or changing control registers. */
  refresh(): void {
    const { primary, secondary } = this.controls;
    // RDTSC exits, or RDTSCP is not enabled.
    this.state.tscExits = (primary & (1 << 12)) !== 0 || (primary >>> 31 === 1 && (secondary & 8) === 0);
    this.codeMode = this.state.derive();
    this.mmu.codeMode = this.codeMode;
    this.mmu.second.setPointer((this.controls.secondary & 2) !== 0 ? this.controls.eptPointer : 0n);
    this.mmu.refresh();
  }
  /** Segments, CPL or AC changed. */
  modeChanged(): void {
    this.codeMode = this.state.derive();
    this.mmu.codeMode = this.codeMode;
    this.mmu.select();
  }

  // Stops.

  private stopWith(stop: Stop): void {
    this.stop = stop;
    this.memory.write32(L.STOP_CODE, L.STOP.memory);
  }
  private stopWithPageFault(low: number, high: number, error: number): void {
    // CR2 is written only when the fault is delivered; until then it waits here.
    this.faultAddress = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    this.stopWith({ kind: 'fault', vector: VECTOR.PF, error });
  }
  faultAddress = 0n;

  /** The reason of the last failed memory access, thrown. */
  private throwStop(): never {
    const { stop } = this;
    this.stop = NOTHING;
    switch (stop.kind) {
      case 'fault': throw new GuestFault(stop.vector, stop.error);
      case 'exit': throw new GuestExit(stop.exit);
      case 'mmio': throw new MmioNeeded(stop.gpa, stop.length);
      case 'none': throw new GuestFault(VECTOR.GP, 0);
    }
  }

  // Memory for assists. Addresses are linear.

  private pointer(linear: bigint, size: number, access: number): number {
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const address = this.mmu.translate(low, high, size | (access << 8));
    if (address === 0) this.throwStop();
    return address;
  }
  read(linear: bigint, size: 1 | 2 | 4): number {
    const at = this.pointer(linear, size, ACCESS.read);
    const { view } = this.memory;
    return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }
  read64(linear: bigint): bigint {
    return this.memory.view.getBigUint64(this.pointer(linear, 8, ACCESS.read), true);
  }
  readValue(linear: bigint, size: number): bigint {
    return size === 8 ? this.read64(linear) : BigInt(this.read(linear, size as 1 | 2 | 4));
  }
  readBytes(linear: bigint, size: number): Uint8Array {
    const at = this.pointer(linear, size, ACCESS.read);
    return this.memory.u8.slice(at, at + size);
  }
  writeValue(linear: bigint, size: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
    this.writeBytes(linear, bytes.subarray(0, size));
  }
  writeBytes(linear: bigint, bytes: Uint8Array): void {
    const at = this.pointer(linear, bytes.length, ACCESS.write);
    this.memory.u8.set(bytes, at);
    if (at === L.BOUNCE) this.mmu.commit();
  }
  /** Fault now rather than later: the range must be writable. */
  probeWrite(linear: bigint, size: number): void {
    this.pointer(linear, size, ACCESS.readWrite);
  }
  /** Run `body` with supervisor rights, as the processor does for descriptor tables and the TSS. */
  asSystem<T>(body: () => T): T {
    const before = this.mmu.system;
    this.mmu.system = true;
    try {
      return body();
    } finally {
      this.mmu.system = before;
    }
  }
  /** Linear address of `offset` in a segment, checked. SDM Vol. 3, 5.3. */
  linear(segment: number, offset: bigint, size: number, write: boolean): bigint {
    if (this.state.code64) return BigInt.asUintN(64, offset + (segment >= 4 ? this.state.base(segment) : 0n));
    const range = L.SEG_RANGE + 32 * segment + (write ? 16 : 0);
    const last = offset + BigInt(size) - 1n;
    if (offset < this.memory.read64(range) || last > this.memory.read64(range + 8)) {
      throw new GuestFault(segment === 2 ? VECTOR.SS : VECTOR.GP, 0);
    }
    return (offset + this.state.base(segment)) & 0xffff_ffffn;
  }

  // Calls from the handlers.

  /** Find the record at RIP, decoding if need be. 0: a stop is described. */
  private resolve(): number {
    const { memory, state } = this;
    const rip = memory.read64(L.RIP);
    if (!state.code64 && rip > BigInt(state.limit(1))) {
      this.fetching = true;
      this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
      return 0;
    }
    const linear = (rip + memory.read64(L.CODE_BASE)) & memory.read64(L.LINEAR_MASK);
    const low = Number(BigInt.asIntN(32, linear));
    const high = Number(BigInt.asIntN(32, linear >> 32n));
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) {
      this.fetching = true;
      if (host === MMIO) this.stopWith({ kind: 'fault', vector: VECTOR.GP, error: 0 });
      return 0;
    }
    if (!this.code.hasRoom()) this.code.flush();
    const offset = low & 0xfff;
    const page = this.code.page(host >>> 12, this.codeMode);
    const record = this.code.record(page, offset);
    this.mmu.fillExecute(low, high, host, page.table);
    memory.write64(L.RIP_PAGE, rip - BigInt(offset));
    return record;
  }

  private assist(id: number, record: number): number {
    try {
      if (id === ASSIST_BY_SITE) return this.assistBySite(record);
      if (id === ASSIST_DIVIDE_128) return divide128(this) ? record + L.RECORD : 0;
      if (id === ASSIST_CROSSING) return this.crossing(record);
      if (id === ASSIST_VECTOR) {
        runSlow(this);
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
    if (routine === undefined || site.instruction === undefined) throw new GuestFault(VECTOR.UD);
    // Routines see rip of the instruction; those that go elsewhere set it and return 'jump'.
    this.state.rip = this.ripOf(record);
    const outcome = routine(this, site.instruction);
    if (outcome === 'next') return record + L.RECORD;
    if (outcome === 'serialize') return this.advance(record);
    return this.resolve();
  }
  /** Go on after `record` through a fresh lookup: modes or mappings may have changed. */
  private advance(record: number): number {
    const { view } = this.memory;
    const rip = this.memory.read64(L.RIP_PAGE) + BigInt(view.getUint16(record + L.R_NEXT, true));
    this.state.rip = BigInt.asUintN(64, rip) & this.memory.read64(L.RIP_MASK);
    return this.resolve();
  }

  private crossing(record: number): number {
    const { view } = this.memory;
    const rip = this.ripOf(record);
    const offset = view.getUint16(record + L.R_OFFSET, true);
    const linear = (rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
    const next = (linear - BigInt(offset) + 4096n) & this.memory.read64(L.LINEAR_MASK);
    const low = Number(BigInt.asIntN(32, next));
    const high = Number(BigInt.asIntN(32, next >> 32n));
    const host = this.mmu.page(low, high, 1, ACCESS.execute);
    if (host < 0) {
      this.state.rip = rip;
      this.fetching = true;
      return 0;
    }
    const hostPage = view.getUint32(record + L.R_PAGE, true);
    if (!this.code.hasRoom()) {
      this.code.flush();
      this.state.rip = rip;
      return this.resolve();
    }
    return this.code.crossing(this.code.page(hostPage, this.codeMode), offset, host >>> 12);
  }

  /** rip of a record on the current code page. */
  private ripOf(record: number): bigint {
    const rip = this.memory.read64(L.RIP_PAGE) + BigInt(this.memory.view.getUint16(record + L.R_OFFSET, true));
    return BigInt.asUintN(64, rip) & this.memory.read64(L.RIP_MASK);
  }

  // Running.

  /** Ticks left in the current slice. */
  get ticksLeft(): number {
    return this.wasm.ticks.value + this.reserve;
  }
  /** End the slice after the current instruction, to look at conditions. */
  stopSoon(): void {
    this.reserve += this.wasm.ticks.value;
    this.wasm.ticks.value = 0;
  }
  /** The instruction at hand retires although it exits (trap-like exits). */
  retireBeforeExit(): void {
    this.trapLike = true;
  }
  private trapLike = false;
  /** RCX by address size, for REP. */
  counter(addressSize: number): bigint {
    return BigInt.asUintN(8 * addressSize, this.state.gpr(1));
  }
  setAccumulator(size: number, value: bigint): void {
    const { view } = this.memory;
    if (size === 1) view.setUint8(L.GPR, Number(value & 0xffn));
    else if (size === 2) view.setUint16(L.GPR, Number(value & 0xffffn), true);
    else view.setBigUint64(L.GPR, value & 0xffff_ffffn, true);
  }
  /** `count` 64-bit words of guest-physical memory, read as the processor reads paging structures. */
  physicalRead64(gpa: bigint, count: number): bigint[] {
    const words: bigint[] = [];
    for (let i = 0; i < count; i++) {
      const at = Number(gpa) + 8 * i;
      const page = this.mmu.second.page(at, 1);
      words.push(page < 0 ? 0n : this.memory.read64(L.HOST_MEMORY + page + (at % 4096)));
    }
    return words;
  }
  /** DR7 or the address registers changed. */
  debugChanged(): void {
    this.watchData();
  }
  private watchData(): void {
    const dr7 = this.memory.read32(L.DR + 56);
    const pages = new Set<string>();
    for (let i = 0; i < 4; i++) {
      if (((dr7 >>> (2 * i)) & 3) === 0 || ((dr7 >>> (16 + 4 * i)) & 3) === 0) continue;
      pages.add(`${i}`);
    }
    const watched = pages.size > 0;
    if (watched === (this.mmu.watchedPages !== undefined)) return;
    this.mmu.watchedPages = watched ? pages : undefined;
    this.mmu.onWatched = watched ? (low, high, size, access) => this.noticeData(low, high, size, access) : undefined;
    this.mmu.flush();
  }
  /** Data breakpoints: #DB after the instruction. SDM Vol. 3, 18.2.4. */
  private noticeData(low: number, high: number, size: number, access: number): void {
    if (access === ACCESS.execute) return;
    const linear = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    const dr7 = this.memory.read32(L.DR + 56);
    for (let i = 0; i < 4; i++) {
      const kind = (dr7 >>> (16 + 4 * i)) & 3;
      if (((dr7 >>> (2 * i)) & 3) === 0 || kind === 0 || kind === 2) continue;
      if (kind === 1 && access === ACCESS.read) continue;
      const length = BigInt([1, 2, 8, 4][(dr7 >>> (18 + 4 * i)) & 3] as number);
      const start = this.memory.read64(L.DR + 8 * i) & ~(length - 1n);
      if (linear < start + length && start < linear + BigInt(size)) this.dataHits |= 1 << i;
    }
    if (this.dataHits !== 0) this.stopSoon();
  }
  private dataHits = 0;
  /** PAUSE-loop exiting: whether this PAUSE is one too many. SDM Vol. 3, 26.1.3. */
  pauseLoop(): boolean {
    const { memory } = this;
    const now = this.timeStamp();
    const { pleGap, pleWindow } = this.controls;
    const isNewLoop = now - memory.read64(L.PLE_LAST) > BigInt(pleGap);
    memory.write64(L.PLE_LAST, now);
    if (isNewLoop) memory.write64(L.PLE_FIRST, now);
    if (now - memory.read64(L.PLE_FIRST) <= BigInt(pleWindow)) return false;
    memory.write64(L.PLE_FIRST, now);
    return true;
  }

  /**
   * Run from RIP for at most `budget` ticks. Returns the exit, or undefined when the budget ended;
   * `executed` tells how many ticks were used.
   */
  run(budget: number): VmExit | undefined {
    this.executed = 0;
    while (this.executed < budget) {
      const exit = this.boundary();
      if (exit !== undefined) return exit;
      const left = budget - this.executed;
      this.executed += this.slice(this.singleStepping() ? 1 : left);
      const after = this.afterSlice();
      if (after !== undefined) return after;
    }
    return this.boundary();
  }
  executed = 0;

  private singleStepping(): boolean {
    return this.state.flag(0x100) || this.watchesCode();
  }
  private watchesCode(): boolean {
    return (this.memory.read32(L.DR + 56) & 0xff) !== 0 && this.hasCodeBreakpoint();
  }
  private hasCodeBreakpoint(): boolean {
    const dr7 = this.memory.read32(L.DR + 56);
    for (let i = 0; i < 4; i++) if (((dr7 >>> (2 * i)) & 3) !== 0 && ((dr7 >>> (16 + 4 * i)) & 3) === 0) return true;
    return false;
  }

  /** Deliver an event on VM entry. It is not subject to the exception bitmap. SDM Vol. 3, 27.6. */
  injectEvent(event: GuestEvent): VmExit | undefined {
    return this.raise(event, true);
  }
  /** Run the one instruction at RIP for KVM's emulator: windows and traps are KVM's business. */
  emulateOne(): VmExit | undefined {
    const used = this.slice(1);
    this.executed += used;
    this.steppedOver = false;
    return this.afterSlice();
  }

  /** What is due before the next instruction: windows, debug exceptions. */
  private boundary(): VmExit | undefined {
    const { primary } = this.controls;
    if ((primary & (1 << 2)) !== 0 && this.state.flag(0x200) && !this.shadowed()) return vmExit({ reason: 7 });
    if ((primary & (1 << 22)) !== 0 && !this.nmiBlocked() && !this.shadowed()) return vmExit({ reason: 8 });
    if (this.watchesCode()) return this.codeBreakpoint();
    return undefined;
  }

  private codeBreakpoint(): VmExit | undefined {
    if (this.state.flag(0x10000)) {
      // RF suppresses instruction breakpoints for one instruction. SDM Vol. 3, 18.3.1.1.
      this.memory.write32(L.FLAGS_REST, this.memory.read32(L.FLAGS_REST) & ~0x10000);
      return undefined;
    }
    const linear = (this.state.rip + this.memory.read64(L.CODE_BASE)) & this.memory.read64(L.LINEAR_MASK);
    const dr7 = this.memory.read32(L.DR + 56);
    let hits = 0;
    for (let i = 0; i < 4; i++) {
      const enabled = ((dr7 >>> (2 * i)) & 3) !== 0 && ((dr7 >>> (16 + 4 * i)) & 3) === 0;
      if (enabled && this.memory.read64(L.DR + 8 * i) === linear) hits |= 1 << i;
    }
    return hits === 0 ? undefined : this.debugException(hits);
  }

  /** #DB with DR6 bits `hits`. */
  debugException(hits: number): VmExit | undefined {
    this.pendingDebug = hits;
    return this.raise({ type: 'exception', vector: VECTOR.DB, length: 0 });
  }
  pendingDebug = 0;

  /** STI or MOV SS shadow covers the next instruction. */
  shadowed(): boolean {
    return (this.memory.read32(L.INTERRUPTIBILITY) & 3) !== 0;
  }
  private nmiBlocked(): boolean {
    return (this.memory.read32(L.INTERRUPTIBILITY) & 8) !== 0;
  }
  /** STI (1) or MOV SS (2) was executed: interrupts wait one instruction more. */
  shadow(kind: 1 | 2): void {
    const held = this.memory.read32(L.INTERRUPTIBILITY);
    this.memory.write32(L.INTERRUPTIBILITY, (held & ~3) | kind);
    this.shadowFresh = true;
    this.stopSoon();
  }
  private shadowFresh = false;
  /** RFLAGS were loaded: traps and windows may be due at the next boundary. */
  flagsLoaded(): void {
    const due = this.state.flag(0x100) || (this.state.flag(0x200) && (this.controls.primary & 4) !== 0);
    if (due || (this.controls.primary & (1 << 22)) !== 0) this.stopSoon();
  }

  private slice(ticks: number): number {
    const { memory, wasm } = this;
    const stepping = this.state.flag(0x100);
    const wasShadowed = this.shadowed();
    const take = wasShadowed ? 1 : ticks;
    this.stop = NOTHING;
    this.fetching = false;
    this.reserve = 0;
    this.shadowFresh = false;
    memory.write32(L.SHADOW_TICKS, 0xffffffff);
    memory.write32(L.WINDOW_WANTED, this.controls.primary & 4);
    this.startTime(take);
    wasm.ticks.value = take;
    wasm.fault.value = 0;
    this.lastRecord = this.resolve();
    if (this.lastRecord !== 0) {
      const end = wasm.dispatch(this.lastRecord);
      if (end !== 0) {
        this.state.rip = this.ripOf(end);
        this.lastRecord = 0;
      } else this.lastRecord = memory.read32(L.STOP_UOP);
    }
    this.settleStop();
    const used = take - wasm.ticks.value - this.reserve;
    this.advanceTime(used);
    // STI's shadow is still on when nothing retired after it.
    const freshSti = memory.read32(L.SHADOW_TICKS) === wasm.ticks.value + this.reserve;
    if (used > 0 && wasShadowed && !this.shadowFresh) this.endShadow();
    if (freshSti) memory.write32(L.INTERRUPTIBILITY, memory.read32(L.INTERRUPTIBILITY) | 1);
    this.steppedOver = (this.trapsNow ?? stepping) && used > 0;
    this.trapsNow = undefined;
    return used;
  }
  /** The STI/MOV SS shadow is over. */
  endShadow(): void {
    this.memory.write32(L.INTERRUPTIBILITY, this.memory.read32(L.INTERRUPTIBILITY) & ~3);
  }
  private lastRecord = 0;
  private steppedOver = false;
  /** Whether a single-step trap follows the instruction at hand whatever TF was before it. */
  private trapsNow: boolean | undefined;
  /** TF counts as it is after SYSCALL and SYSRET; delivering an event leaves no trap behind. SDM Vol. 3, 18.3.1.4. */
  trapByFlagNow(): void {
    this.trapsNow = this.state.flag(0x100);
    if (this.trapsNow) this.stopSoon();
  }

  /** Guest TSC at the start of the run; set by the engine. */
  tscAtStart = 0n;
  private startTime(ticks: number): void {
    this.memory.write64(L.TSC_BASE, this.tscAtStart);
    this.memory.write32(L.TSC_TICKS, ticks);
  }
  private advanceTime(used: number): void {
    this.tscAtStart += BigInt(used) * BigInt(this.memory.read32(L.TSC_PER_TICK));
  }
  /** Guest TSC now, from inside an assist. */
  timeStamp(): bigint {
    const elapsed = this.memory.read32(L.TSC_TICKS) - this.ticksLeft;
    return BigInt.asUintN(64, this.tscAtStart + BigInt(elapsed) * BigInt(this.memory.read32(L.TSC_PER_TICK)));
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
    if (this.stop.kind === 'none' || this.fetching) return;
    if (this.lastRecord === 0) return;
    if (this.trapLike) {
      this.trapLike = false;
      return;
    }
    this.state.rip = this.ripOf(this.lastRecord);
    this.wasm.ticks.value += 1;
  }

  private afterSlice(): VmExit | undefined {
    const { stop } = this;
    this.stop = NOTHING;
    switch (stop.kind) {
      case 'none': break;
      case 'exit': return stop.exit;
      case 'mmio':
        this.needed = { gpa: stop.gpa, length: stop.length };
        return vmExit({ reason: MMIO_NEEDED });
      case 'fault': {
        if (this.emulating) return this.emulatedFault(stop.vector, stop.error);
        const error = hasErrorCode(stop.vector) ? { error: stop.error } : {};
        const exit = this.raise({ type: 'exception', vector: stop.vector, length: 0, ...error });
        // A delivery counts as a tick, so that a guest that only faults still uses up its budget.
        if (exit === undefined) {
          this.executed += 1;
          this.tscAtStart += BigInt(this.memory.read32(L.TSC_PER_TICK));
        }
        return exit;
      }
    }
    // MOV SS holds debug exceptions back for one instruction; its own single-step trap is lost. SDM Vol. 3, 6.8.3.
    if (this.shadowFresh && (this.memory.read32(L.INTERRUPTIBILITY) & 2) !== 0) {
      this.steppedOver = false;
      return undefined;
    }
    const hits = (this.steppedOver ? 0x4000 : 0) | this.dataHits;
    this.steppedOver = false;
    this.dataHits = 0;
    return hits === 0 ? undefined : this.debugException(hits);
  }
  needed = { gpa: 0, length: 0 };

  // Events.

  /** Deliver an event, and the faults its delivery raises, in order. Returns the VM exit it came to, if any. */
  raise(first: GuestEvent, injected = false): VmExit | undefined {
    let event = first;
    let previous: GuestEvent | undefined;
    for (;;) {
      const interceptable = event.type === 'exception' && !(injected && event === first);
      if (interceptable && this.intercepts(event)) return this.exceptionExit(event, previous);
      try {
        if (interceptable) this.noteException(event);
        deliver(this, event);
        this.modeChanged();
        return undefined;
      } catch (thrown) {
        this.modeChanged();
        const stop = stopOf(thrown);
        if (stop.kind === 'exit') return vectored(stop.exit, event);
        if (stop.kind !== 'fault') return vmExit({ reason: MMIO_NEEDED });
        const next = combine(event, stop);
        if (next === undefined) return vmExit({ reason: 2 });
        previous = event;
        event = next;
      }
    }
  }

  /** KVM's emulator met an exception: it will be injected. */
  private emulatedFault(vector: number, error: number): VmExit {
    const withError = hasErrorCode(vector) ? { error } : {};
    return this.exceptionExit({ type: 'exception', vector, length: 0, ...withError }, undefined);
  }

  private noteException(event: GuestEvent): void {
    if (event.vector === VECTOR.PF) this.memory.write64(L.CR2, this.faultAddress);
    if (event.vector === VECTOR.DB) {
      const dr6 = this.memory.read32(L.DR + 48);
      this.memory.write32(L.DR + 48, (dr6 & ~0xf) | this.pendingDebug | 0xffff0ff0);
      this.memory.write32(L.DR + 56, this.memory.read32(L.DR + 56) & ~0x2000);
    }
  }

  private intercepts(event: GuestEvent): boolean {
    const { exceptionBitmap, pageFaultErrorCodeMask, pageFaultErrorCodeMatch } = this.controls;
    const wanted = ((exceptionBitmap >>> event.vector) & 1) !== 0;
    if (event.vector !== VECTOR.PF) return wanted;
    const matches = ((event.error ?? 0) & pageFaultErrorCodeMask) === pageFaultErrorCodeMatch;
    return matches ? wanted : !wanted;
  }

  private exceptionExit(event: GuestEvent, previous: GuestEvent | undefined): VmExit {
    const qualification =
      event.vector === VECTOR.PF ? this.faultAddress : event.vector === VECTOR.DB ? BigInt(this.pendingDebug) : 0n;
    const exit = vmExit({
      reason: 0,
      qualification,
      interruptionInfo: interruptionInfo(event),
      interruptionErrorCode: event.error ?? 0,
      instructionLength: event.length,
    });
    return previous === undefined ? exit : vectored(exit, previous);
  }
}

/** Internal reason: KVM's emulator needs memory-mapped data. Never seen outside the engine. */
export const MMIO_NEEDED = 0x7fff;

function vectored(exit: VmExit, event: GuestEvent): VmExit {
  return {
    ...exit,
    idtVectoringInfo: interruptionInfo(event),
    idtVectoringErrorCode: event.error ?? 0,
    instructionLength: exit.instructionLength || event.length,
  };
}

/** What a fault during the delivery of `event` becomes. SDM Vol. 3, Table 6-5. Undefined: triple fault. */
function combine(event: GuestEvent, fault: { vector: number; error: number }): GuestEvent | undefined {
  const serial: GuestEvent = {
    type: 'exception',
    vector: fault.vector,
    length: 0,
    ...(hasErrorCode(fault.vector) ? { error: fault.error } : {}),
  };
  if (event.type !== 'exception') return serial;
  const second = isContributory(fault.vector);
  if (event.vector === VECTOR.DF) {
    return second || fault.vector === VECTOR.PF ? undefined : serial;
  }
  const double =
    (isContributory(event.vector) && second) ||
    (event.vector === VECTOR.PF && (second || fault.vector === VECTOR.PF));
  return double ? { type: 'exception', vector: VECTOR.DF, error: 0, length: 0 } : serial;
}

function stopOf(thrown: unknown): Stop {
  if (thrown instanceof GuestFault) return { kind: 'fault', vector: thrown.vector, error: thrown.error };
  if (thrown instanceof GuestExit) return { kind: 'exit', exit: thrown.exit };
  if (thrown instanceof MmioNeeded) return { kind: 'mmio', gpa: thrown.gpa, length: thrown.length };
  throw thrown;
}

export { FAILED };
