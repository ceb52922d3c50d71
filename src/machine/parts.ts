import type { Gpa, Ns, Seq, Tick } from '../base/units.ts';
import type { DebuggerStops } from '../engine/index.ts';
import type { Origin } from '../events/origin.ts';
import type { Stamped } from '../events/stamped.ts';
import type { EventOf, InputKind } from '../events/vocabulary.ts';
import type { KvmKernel } from '../kvm/api.ts';
import type { KvmHost } from '../kvm/context.ts';
import type { Guest } from '../x86/guest.ts';
import type { Processor } from '../kvm/processor.ts';
import type { BulkRegion } from '../memory/pages.ts';
import type { PayloadSource } from '../memory/payloads.ts';
import type { MachineConfig } from '../vmm/config.ts';
import type { PacketBytes, VmmHost } from '../vmm/host.ts';
import type { Vmm } from '../vmm/vmm.ts';

/** What the processor may ask of the machine around it. */
export interface GuestTime {
  /** Host TSC as of the last tick the machine counted. The engine adds `tscPerTick` for each it retires. */
  hostTsc(): bigint;
  readonly tscPerTick: number;
  /** 64 bits for RDRAND and RDSEED, `ticks` into the run under way. */
  random(ticks: number): bigint;
  /** Ticks the machine has counted: up to the start of the run under way. */
  ticks(): number;
  /** The guest wrote to its own page tables, `ticks` into the run under way. */
  tableWritten(write: TableWrite): void;
}

/** A guest's write to an entry of its own page tables. */
export interface TableWrite {
  readonly vcpu: number;
  readonly ticks: number;
  readonly gpa: Gpa;
  readonly old: bigint;
  readonly new: bigint;
}

/** The processor as the machine composes it: KVM's boundary, and its bytes. */
export interface Engine extends Guest {
  /** All bytes that are state: host memory, EPT pages, register blocks. */
  readonly regions: readonly BulkRegion[];
  /** `readHost` of what is told together with other reads. Without: the same. A tape has it from another fact. */
  readGathered?(hva: number, length: number): Uint8Array;
  /** `readHost` of what nothing is decided by. Without: the same. A tape does not know it. */
  readPayload?(hva: number, length: number): Uint8Array;
  /** What a packet holds whose bytes were read so. Without: what was read. */
  packet?(sent: PacketBytes): PacketBytes;
  /** What a debugger waits for. A tape has none. */
  readonly stops?: DebuggerStops;
}

/** An input the machine delivers: all but its own start. */
export type InputEvent = EventOf<Exclude<InputKind, 'sim:powered_on'>>;

/** Named streams of chance. */
export interface Chance {
  /** Number `n` (from 1) of a stream: a signed 32-bit integer. */
  int32(seed: string, name: string, n: number): number;
}

/** Inputs in order. A live queue says when; a replay also says before which sequence number. */
export interface InputSource {
  /** The next input; `seq` is the sequence number the machine has come to. */
  peek(seq: Seq): PendingInput | undefined;
  take(): void;
}

/** An input and the moment it is due. */
export interface PendingInput {
  readonly event: InputEvent;
  /** Virtual nanosecond from which it may be delivered; absent: at once. */
  readonly ns?: Ns;
  /** Tick from which it may be delivered; of one that has a `seq` the very one. */
  readonly tick?: Tick;
  /** Replay: the sequence number at which it was delivered, which decides; `ns` then only ends idle times. */
  readonly seq?: Seq;
}

/** What a machine is made of. */
export interface MachineParts {
  readonly made: Omit<MachineConfig, 'parts'>;
  engine(time: GuestTime): Engine;
  kvm(processor: Processor, host: KvmHost): KvmKernel;
  vmm(kernel: KvmKernel, host: VmmHost, origin: Origin): Vmm;
  readonly chance: Chance;
  readonly inputs: InputSource;
  /** What payloads the inputs name are. Without: they name none. */
  readonly payloads?: PayloadSource;
  readonly seed: string;
  readonly wallClockAtPowerOn: bigint;
  /** Events between two digests of the state's slices; usually 2,000. */
  readonly eventsPerDigest?: number;
  /** Told of every fact, once the state has changed by it. */
  onEvent(stamped: Stamped): void;
}
