import type { Gpa, Ns, Seq } from '../../base/units.ts';
import type { Device, WakeReason } from '../../devices/device.ts';
import { WAKE_UP } from '../../devices/piix4-pm/index.ts';
import type { Origin } from '../../events/origin.ts';
import { type Source, vcpuOf } from '../../events/stamped.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import type { Kvm, KvmKernel } from '../../kvm/api.ts';
import type { MachineConfig, PartConfig } from '../config.ts';
import type { ProcessorId } from '../cpu/cpuid.ts';
import type { Drive } from '../drives/drive.ts';
import type { HostMemory, VmmHost } from '../host.ts';
import { isLogging, noteWritten } from '../memory/written.ts';
import type { RegisterBus } from '../memory/access.ts';
import type { AddressSpace } from '../memory/address-space.ts';
import type { FlatRange } from '../memory/flat-view.ts';
import type { MachineOptions } from '../options.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import type { VmmState } from '../state.ts';

/** A device model of whatever state; only the machine's own tables pair models with their states. */
export type AnyDevice = Device<object>;

/** One device of a machine. */
export interface Part extends PartConfig {
  readonly device: AnyDevice;
  /** The device's timers, by their names among the machine's. */
  readonly timers: ReadonlyMap<string, string>;
  /** The thread it acts in. */
  readonly thread: Source;
  /** A PCI function that may raise its interrupts by messages. */
  readonly hasMessages: boolean;
  /** State at power-on. */
  readonly atReset: () => object;
}

/** File descriptors of the virtual machine. */
export interface VmFds {
  readonly kvm: number;
  readonly vm: number;
  readonly vcpus: readonly number[];
}

/** Host addresses of the machine's memory. */
export interface HostRanges {
  readonly ram: number;
  readonly bios: number;
  readonly optionRom: number;
  /** Of regions that are read-only memory, as `part.region`. */
  readonly roms: ReadonlyMap<string, number>;
}

/** How accesses come to the devices whose registers they hit. */
export interface Registers {
  read(machine: Machine, range: FlatRange, offset: number, size: number): number;
  write(machine: Machine, range: FlatRange, offset: number, size: number, value: number): void;
}

/** What a machine's type knows, as QEMU's `-machine` names it: where its regions lie, how it comes up. */
interface MachineType {
  /** Redraw the address spaces after regions moved, and give KVM the difference. */
  remap(machine: Machine): void;
  /** Put memory and vCPUs where the first instruction finds them. */
  powerOn(machine: Machine): void;
  /** Put vCPUs where they find their way back from sleep. */
  wakeUp(machine: Machine): void;
}

/** What of a machine does not depend on who acts on it. */
export interface Board {
  readonly type: MachineType;
  readonly host: VmmHost;
  readonly kernel: KvmKernel;
  readonly options: MachineOptions;
  readonly ram: RamLayout;
  readonly parts: readonly Part[];
  /** By their `id`. */
  readonly drives: ReadonlyMap<string, Drive>;
  readonly hva: HostRanges;
  readonly fds: VmFds;
  readonly processorId: ProcessorId;
  readonly registers: Registers;
  /** Net clients to which a packet is being handed: empty between two events of the loop. */
  readonly delivering: Set<string>;
  /** Derived from the state: who answers each guest-physical address, and each I/O port. */
  memoryView: readonly FlatRange[];
  ioView: readonly FlatRange[];
}

/** A machine as somebody acts on it: what happens comes from one origin. */
export class Machine implements RegisterBus {
  readonly board: Board;
  readonly origin: Origin;
  private system: Kvm | undefined;
  private ownMemory: HostMemory | undefined;

  constructor(board: Board, origin: Origin) {
    this.board = board;
    this.origin = origin;
  }

  /** Looked up anew each time: facts change it, a restored checkpoint replaces it. */
  get state(): VmmState {
    return this.board.host.state;
  }

  get config(): MachineConfig {
    return this.board.host.config;
  }

  get options(): MachineOptions {
    return this.board.options;
  }

  get parts(): readonly Part[] {
    return this.board.parts;
  }

  get fds(): VmFds {
    return this.board.fds;
  }

  /** System calls in this origin's name. */
  get kvm(): Kvm {
    this.system ??= this.board.kernel.calledBy(this.origin);
    return this.system;
  }

  get hostMemory(): HostMemory {
    this.ownMemory ??= this.board.host.memoryFor(this.origin);
    return this.ownMemory;
  }

  /** The guest-physical address space. */
  get memory(): AddressSpace {
    const written = isLogging(this) ? (gpa: Gpa, length: number) => noteWritten(this, gpa, length) : undefined;
    return { view: this.board.memoryView, memory: this.hostMemory, bus: this, written };
  }

  /** The I/O ports. */
  get io(): AddressSpace {
    return { view: this.board.ioView, memory: this.hostMemory, bus: this, written: undefined };
  }

  /** The vCPU being served, for the trace; -1 is the main loop. */
  get cpu(): number {
    return vcpuOf(this.origin.source);
  }

  /** Virtual nanoseconds since power-on. */
  now(): Ns {
    return this.board.host.now();
  }

  /** Put a fact on record. Returns its sequence number. */
  raise(event: MachineEvent): number {
    return this.origin.raise(event);
  }

  /** Somebody wants a reset: it waits until the access that asked is over. The first to ask is remembered. */
  askForReset(by: string): void {
    if (this.state.resetBy === undefined) this.raise({ kind: 'sim:reset_asked', by });
  }

  /** The guest wants to sleep, once the access that asked is over. */
  askForSuspend(): void {
    if (this.state.sleep === undefined) this.raise({ kind: 'sim:suspend_asked' });
  }

  /** Something wakes a machine that sleeps, if PM1 lets it. The first is remembered. */
  askForWakeup(by: WakeReason): void {
    const { sleep, devices } = this.state;
    if (sleep?.isAsleep !== true || sleep.wokenBy !== undefined) return;
    const { enable } = WAKE_UP[by];
    if ((devices['piix4-pm'].enable & enable) === enable) this.raise({ kind: 'sim:wakeup_asked', by });
  }

  /** The same for what follows from an event. */
  after(seq: Seq): Machine {
    return new Machine(this.board, this.origin.after(seq));
  }

  /** The same with an origin found otherwise. */
  from(origin: Origin): Machine {
    return new Machine(this.board, origin);
  }

  /** A device's state as it is now. */
  stateOf(part: PartConfig): object {
    return (this.state.devices as unknown as Readonly<Record<string, object>>)[part.name]!;
  }

  read(range: FlatRange, offset: number, size: number): number {
    return this.board.registers.read(this, range, offset, size);
  }

  write(range: FlatRange, offset: number, size: number, value: number): void {
    this.board.registers.write(this, range, offset, size, value);
  }
}
