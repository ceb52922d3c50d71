import type { Gva, Hva } from '../base/units.ts';
import type { Origin } from '../events/origin.ts';
import type {
  Emulated,
  ExecutionControls,
  Guest,
  GuestStop,
  MemoryOfGuest,
  MmioAccess,
  Registers,
  TaskSwitch,
  TaskSwitched,
} from '../x86/guest.ts';
import type { Position, Processor, TracedGuest } from '../kvm/processor.ts';
import type { HostMemory, PacketBytes } from '../vmm/host.ts';
import type { MachineState } from '../reducers/state.ts';
import { emulatedFact, emulationExitFact } from './emulation-facts.ts';
import type { Engine } from './parts.ts';
import { TracedRegisters } from './traced-registers.ts';

/** What of a processor can be asked without looking: derived from its answers, and read anew after a restore. */
interface Known {
  position: Position | undefined;
  /** The VMCS has changed since the processor was told of it. */
  needsControls: boolean;
}

/** What a processor knows of the machine it is in. */
export interface Surroundings {
  readonly engine: Engine;
  /** Changed by `evolve` alone. */
  readonly state: MachineState;
  /** Guest instructions retired by all vCPUs: a register of the processor's, like the others beside the state. */
  ticks: number;
  /** Tick at which a run is cut without the guest noticing. */
  readonly cutAt: number;
  /** A debugger stopped the last run. */
  hasBroken: boolean;
}

/**
 * The processor as KVM sees it in a machine. Every retired instruction moves the clock, and no run passes the tick at
 * which it is to be cut. Each of its answers that does not come with a kvm_exit is raised as a fact, so that the
 * hypervisor can be run again without it.
 */
export class MachineProcessor implements Processor {
  readonly context: Surroundings;
  private readonly known: Known[] = [];
  /** What is read of memory in one transaction, while it is under way. */
  gathering: Uint8Array[] | undefined;
  /** Whose run is under way: what the processor tells meanwhile comes from it. */
  running: Origin | undefined;

  constructor(context: Surroundings) {
    this.context = context;
  }

  from(origin: Origin): TracedGuest & HostMemory {
    return new GuestView(this, origin);
  }

  of(vcpu: number): Known {
    let known = this.known[vcpu];
    if (known === undefined) {
      known = { position: undefined, needsControls: true };
      this.known[vcpu] = known;
    }
    return known;
  }

  /** Where a vCPU stands. */
  position(vcpu: number): Position {
    const known = this.of(vcpu);
    known.position ??= this.readPosition(vcpu);
    return known.position;
  }

  /** Note part of where a vCPU stands. */
  moved(vcpu: number, part: Partial<Position>): void {
    const known = this.of(vcpu);
    if (known.position !== undefined) known.position = { ...known.position, ...part };
  }

  /** Note that a vCPU is past an instruction. */
  steppedOver(vcpu: number, rip: bigint): void {
    const { rflags, interruptibility, cr8 } = this.position(vcpu);
    this.of(vcpu).position = { rip, rflags, interruptibility: interruptibility & ~SHADOW, cr8 };
  }

  readPosition(vcpu: number): Position {
    const { rip, rflags, interruptibility, cr8 } = this.context.engine.registers(vcpu);
    return { rip, rflags: Number(rflags & 0xffff_ffffn), interruptibility, cr8 };
  }

  /** Look where a vCPU stands after something moved it in a way KVM cannot work out: the answer is a fact. */
  look(vcpu: number, origin: Origin): void {
    const position = this.readPosition(vcpu);
    this.of(vcpu).position = position;
    const { rip, rflags, interruptibility, cr8 } = position;
    origin.raise({ kind: 'sim:position_read', vcpu_id: vcpu, rip, rflags, interruptibility, cr8 });
  }

  /** The processor's own registers were put back: nothing is known of them. */
  restored(): void {
    for (const known of this.known) {
      known.position = undefined;
      known.needsControls = true;
    }
  }

  /** An instruction was retired outside a run. */
  retired(): void {
    this.context.ticks += 1;
  }

  /**
   * VM entry and run. A cut, or a pause, is a 'break' that leaves the VM entry open, so that where a caller of
   * `advance` stops cannot be seen in the run: the exit that ends the entry reports all its ticks.
   */
  run(vcpu: number, budget: number, inject: Parameters<Guest['run']>[2], origin: Origin): GuestStop {
    const { context } = this;
    const allowed = Math.min(budget, context.cutAt - context.ticks);
    const { entry } = context.state.kvm.vcpus[vcpu]!;
    this.running = origin.inside(entry.seq);
    const stop = context.engine.run(vcpu, allowed, inject);
    this.running = undefined;
    context.ticks += stop.ticks;
    const isCut = stop.why === 'budget' && allowed < budget;
    if (isCut || stop.why === 'pause') return { ...stop, why: 'break' };
    if (stop.why === 'break') {
      context.hasBroken = true;
      return stop;
    }
    const { rip, rflags, interruptibility, cr8 } = stop;
    this.of(vcpu).position = { rip, rflags, interruptibility, cr8 };
    const ticks = context.ticks - entry.tick;
    return ticks === stop.ticks ? stop : { ...stop, ticks };
  }
}

/** The processor for one origin of facts. */
class GuestView implements TracedGuest, HostMemory {
  private readonly processor: MachineProcessor;
  private readonly origin: Origin;
  private views: Registers[] | undefined;

  constructor(processor: MachineProcessor, origin: Origin) {
    this.processor = processor;
    this.origin = origin;
  }

  private get engine(): Engine {
    return this.processor.context.engine;
  }

  registers(vcpu: number): Registers {
    this.views ??= [];
    this.views[vcpu] ??= new TracedRegisters(this.processor, vcpu, this.engine.registers(vcpu), this.origin);
    return this.views[vcpu];
  }

  position(vcpu: number): Position {
    return this.processor.position(vcpu);
  }

  addVcpu(): number {
    const vcpu = this.engine.addVcpu();
    this.processor.look(vcpu, this.origin);
    return vcpu;
  }

  resetVcpu(vcpu: number, kind: 'reset' | 'init'): void {
    this.engine.resetVcpu(vcpu, kind);
    this.processor.look(vcpu, this.origin);
  }

  controlsChanged(vcpu: number): void {
    this.processor.of(vcpu).needsControls = true;
  }

  needsControls(vcpu: number): boolean {
    return this.processor.of(vcpu).needsControls;
  }

  setControls(vcpu: number, controls: ExecutionControls): void {
    this.processor.of(vcpu).needsControls = false;
    this.engine.setControls(vcpu, controls);
  }

  run(vcpu: number, budget: number, inject: Parameters<Guest['run']>[2]): GuestStop {
    return this.processor.run(vcpu, budget, inject, this.origin);
  }

  emulate(vcpu: number, reads: readonly MmioAccess[], memory: MemoryOfGuest): Emulated {
    const emulated = this.engine.emulate(vcpu, reads, memory);
    if (emulated.then === 'done') this.processor.retired();
    this.origin.raise(emulatedFact(vcpu, emulated, this.reread(vcpu)));
    if (emulated.then === 'exit') this.origin.raise(emulationExitFact(vcpu, emulated.exit));
    return emulated;
  }

  taskSwitch(vcpu: number, task: TaskSwitch, memory: MemoryOfGuest): TaskSwitched {
    const switched = this.engine.taskSwitch(vcpu, task, memory);
    const { then: outcome, vector, errorCode, address } = switched;
    if (outcome === 'done') this.processor.retired();
    const { rip, rflags, interruptibility } = this.reread(vcpu);
    const came = { outcome, vector, error_code: errorCode, address, rip, rflags, interruptibility };
    this.origin.raise({ kind: 'sim:task_switched', vcpu_id: vcpu, ...came });
    return switched;
  }

  private reread(vcpu: number): Position {
    const position = this.processor.readPosition(vcpu);
    this.processor.of(vcpu).position = position;
    return position;
  }

  setGpr(vcpu: number, index: number, value: bigint): void {
    this.engine.setGpr(vcpu, index, value);
  }

  setRip(vcpu: number, rip: bigint): void {
    this.engine.setRip(vcpu, rip);
    this.processor.moved(vcpu, { rip });
  }

  skipInstruction(vcpu: number, length: number, next: bigint): void {
    this.engine.skipInstruction(vcpu, length, next);
    this.processor.retired();
    this.processor.steppedOver(vcpu, next);
  }

  readHost(hva: Hva, length: number): Uint8Array {
    const { gathering } = this.processor;
    if (gathering !== undefined) return this.readGathered(gathering, hva, length);
    const bytes = this.engine.readHost(hva, length);
    this.origin.raise({ kind: 'sim:memory_read', hva, bytes });
    return bytes;
  }

  private readGathered(gathering: Uint8Array[], hva: Hva, length: number): Uint8Array {
    const { engine } = this;
    const bytes = engine.readGathered?.(hva, length) ?? engine.readHost(hva, length);
    gathering.push(bytes);
    return bytes;
  }

  readPayload(hva: Hva, length: number): Uint8Array {
    return this.engine.readPayload?.(hva, length) ?? this.engine.readHost(hva, length);
  }

  packet(sent: PacketBytes): PacketBytes {
    return this.engine.packet?.(sent) ?? sent;
  }

  gather<T>(dev: string, reads: () => T): T {
    const { processor } = this;
    if (processor.gathering !== undefined) return reads();
    const gathering: Uint8Array[] = [];
    processor.gathering = gathering;
    let answer: T;
    try {
      answer = reads();
    } finally {
      processor.gathering = undefined;
    }
    const bytes = joined(gathering);
    if (bytes.length > 0) this.origin.raise({ kind: 'sim:dma_gathered', dev, bytes });
    return answer;
  }

  writeHost(hva: Hva, bytes: Uint8Array): void {
    this.engine.writeHost(hva, bytes);
  }

  get eptWords(): Uint32Array {
    return this.engine.eptWords;
  }

  get eptWritten(): Uint8Array | undefined {
    return this.engine.eptWritten;
  }

  invalidateEpt(): void {
    this.engine.invalidateEpt();
  }

  translate(vcpu: number, linear: Gva): ReturnType<Guest['translate']> {
    const answer = this.engine.translate(vcpu, linear);
    const entries = new Uint8Array(new BigUint64Array(answer?.entries ?? []).buffer);
    const mapped = answer !== undefined;
    this.origin.raise({ kind: 'sim:translated', vcpu_id: vcpu, linear, mapped, gpa: answer?.gpa ?? 0, entries });
    return answer;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Interruptibility: blocking by STI and by MOV SS. SDM Vol. 3, Table 25-3. */
const SHADOW = 3;
