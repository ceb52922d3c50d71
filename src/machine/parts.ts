import type { HostRequest } from '../devices/device.ts';
import type { DebuggerStops } from '../engine/index.ts';
import type { Stamped } from '../events/stamped.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { Kvm, KvmHost } from '../kvm/api.ts';
import type { Guest } from '../kvm/guest.ts';
import type { VmmHost } from '../vmm/host.ts';
import type { BulkRegion } from '../memory/pages.ts';
import type { RandomState } from '../reducers/state.ts';

/** What the processor may ask of the machine around it. */
export interface GuestTime {
  /** Host TSC as of the last tick the machine counted. The engine adds `tscPerTick` for each it retires. */
  hostTsc(): bigint;
  readonly tscPerTick: number;
  /** 64 bits for RDRAND and RDSEED. */
  random(): bigint;
  /** Ticks the machine has counted: up to the start of the run under way. */
  ticks(): number;
  /** The guest wrote to its own page tables, `ticks` into the run under way. */
  tableWritten(write: TableWrite): void;
}

/** A guest's write to an entry of its own page tables. */
export interface TableWrite {
  readonly vcpu: number;
  readonly ticks: number;
  readonly gpa: number;
  readonly old: bigint;
  readonly new: bigint;
}

/** The processor as the machine composes it: KVM's boundary, and its bytes. */
export interface Engine extends Guest {
  /** All bytes that are state: host memory, EPT pages, register blocks. */
  readonly regions: readonly BulkRegion[];
  /** What a debugger waits for. A tape has none. */
  readonly stops?: DebuggerStops;
}

/** KVM's half with its state in one replaceable value. */
export interface KvmPart extends Kvm {
  state: object;
}

/** An input the machine delivers. */
export type InputEvent = Extract<
  MachineEvent,
  { kind: 'sim:serial_received' | 'sim:reset_requested' | 'sim:intervened' }
>;

/** QEMU's half: what `createMachinePc` makes. */
export interface VmmPart {
  readonly state: object;
  /** Answer the exit with which a vCPU's KVM_RUN returned. */
  service(vcpu: number): void;
  deadline(): number | undefined;
  expire(): void;
  receiveSerial(line: number, bytes: Uint8Array): void;
  requestReset(by: string): void;
  /** Take up the state of a checkpoint. */
  restore(state: object): void;
}

/** Named streams of chance as pure functions over plain state. */
export interface Chance {
  start(seed: string, name: string): RandomState;
  /** A signed 32-bit integer; `state` moves on. */
  int32(state: RandomState): number;
}

/** Inputs in order. A live queue says when; a replay also says before which sequence number. */
export interface InputSource {
  /** The next input; `seq` is the sequence number the machine has come to. */
  peek(seq: number): PendingInput | undefined;
  take(): void;
}

/** An input and the moment it is due. */
export interface PendingInput {
  readonly event: InputEvent;
  /** Virtual nanosecond from which it may be delivered; absent: at once. */
  readonly ns?: number;
  /** Replay: the tick and sequence number at which it was delivered. They decide; `ns` then only ends idle times. */
  readonly tick?: number;
  readonly seq?: number;
}

/** What a machine is made of. */
export interface MachineParts {
  engine(time: GuestTime): Engine;
  kvm(guest: Guest, host: KvmHost): KvmPart;
  vmm(kvm: Kvm, host: VmmHost): VmmPart;
  readonly chance: Chance;
  readonly inputs: InputSource;
  readonly seed: string;
  readonly wallClockAtPowerOn: bigint;
  readonly vcpus: number;
  readonly nsPerTick?: number;
  /** Ticks between digests in the event stream; 0 for none. */
  readonly digestEvery?: number;
  /** Raise the processor's answers too, so that the run can be folded without it. Default true. */
  readonly witness?: boolean;
  onEvent(stamped: Stamped): void;
  onRequest(request: HostRequest): void;
}
