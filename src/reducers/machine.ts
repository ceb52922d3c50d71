import type { HostRequest } from '../devices/device.ts';
import { MAIN_LOOP, type Source, type Stamped } from '../events/stamped.ts';
import type { MachineEvent } from '../events/vocabulary.ts';
import type { Guest } from '../kvm/guest.ts';
import type { Kvm, KvmHost } from '../kvm/api.ts';
import type { HostMemory, VmmHost } from '../vmm/host.ts';
import { advance, type Reason, type Until } from './loop.ts';
import { type BulkRegion, followPages, type Pages } from './pages.ts';
import { type MachineState, nowNs, type RandomState, stateAtPowerOn } from './state.ts';
import { stamper } from './stamp.ts';
import { timedGuest } from './timed-guest.ts';

/** What the processor may ask of the machine around it. */
export interface GuestTime {
  /** Host TSC as of the last tick the machine counted. The engine adds `tscPerTick` for each it retires. */
  hostTsc(): bigint;
  readonly tscPerTick: number;
  /** 64 bits for RDRAND and RDSEED. */
  random(): bigint;
}

/** The processor as the machine composes it: KVM's boundary, and its bytes. */
export interface Engine extends Guest {
  /** All bytes that are state: host memory, EPT pages, register blocks. */
  readonly regions: readonly BulkRegion[];
}

/** KVM's half with its state in one replaceable value. */
export interface KvmPart extends Kvm {
  state: object;
}

/** An input the machine delivers. */
export type InputEvent = Extract<MachineEvent, { kind: 'sim:serial_received' | 'sim:reset_requested' }>;

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
  peek(): PendingInput | undefined;
  take(): void;
}

/** An input and the moment it is due. */
export interface PendingInput {
  readonly event: InputEvent;
  /** Virtual nanosecond from which it may be delivered. */
  readonly ns?: number;
  /** Replay: the tick and sequence number at which it was delivered. */
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

/** Derived or handed in: everything around the state that the loop works with. */
export interface MachineContext {
  readonly parts: MachineParts;
  state: MachineState;
  engine: Engine;
  kvm: KvmPart;
  vmm: VmmPart;
  pages: Pages;
  /** Who raises events now, and the event that led to them (-1: none). */
  source: Source;
  cause: number;
  /** Tick at which a run is cut without the guest noticing. */
  cutAt: number;
  /** A debugger stopped the last run. */
  hasBroken: boolean;
  raise(event: MachineEvent): void;
}

/** A machine: power-on to power-off. */
export interface Machine {
  /** The open state; changes while `advance` runs. */
  readonly state: MachineState;
  readonly kvm: KvmPart;
  readonly vmm: VmmPart;
  readonly engine: Engine;
  readonly pages: Pages;
  now(): number;
  advance(until: Until): Reason;
  /** Put another state in; memory has been put back by `pages`. */
  replaceState(state: MachineState): void;
}

const TSC_PER_NS = 2;

/** Build a machine and power it on: `sim:powered_on` is its first event. */
export function createMachine(parts: MachineParts): Machine {
  const nsPerTick = parts.nsPerTick ?? 8;
  const state = stateAtPowerOn(nsPerTick, parts.vcpus, {}, {});
  state.schedule.nextDigest = parts.digestEvery ?? 0;
  // The parts refer to the context and are in it: they are put in below, before anything runs.
  const bare = { parts, state, source: MAIN_LOOP, cause: -1, cutAt: Number.POSITIVE_INFINITY, hasBroken: false };
  const context = bare as MachineContext;
  context.raise = stamper(context);
  context.raise({ kind: 'sim:powered_on', seed: parts.seed, wall_clock: parts.wallClockAtPowerOn });
  context.engine = parts.engine({
    hostTsc: () => BigInt(nowNs(context.state.clock)) * BigInt(TSC_PER_NS),
    tscPerTick: nsPerTick * TSC_PER_NS,
    random: () => draw64(context, 'rdrand'),
  });
  const guest = timedGuest(context);
  context.kvm = parts.kvm(guest, kvmHost(context));
  context.vmm = parts.vmm(context.kvm, vmmHost(context, guest));
  context.pages = followPages(context.engine.regions);
  return {
    get state() {
      adoptStates(context);
      return context.state;
    },
    get kvm() {
      return context.kvm;
    },
    get vmm() {
      return context.vmm;
    },
    get engine() {
      return context.engine;
    },
    get pages() {
      return context.pages;
    },
    now: () => nowNs(context.state.clock),
    advance: (until) => advance(context, until),
    replaceState(next) {
      context.state = next;
      context.kvm.state = next.kvm;
      context.vmm.restore(next.vmm);
    },
  };
}

/** The parts own their states; the machine's state refers to the same objects. */
export function adoptStates(context: MachineContext): void {
  context.state.kvm = context.kvm.state;
  context.state.vmm = context.vmm.state;
}

/** The next 64 bits of a named stream. */
function draw64(context: MachineContext, name: string): bigint {
  const high = BigInt(drawInt32(context, name) >>> 0);
  return (high << 32n) | BigInt(drawInt32(context, name) >>> 0);
}

/** The next 32 bits of a named stream; a stream starts at its first use. */
export function drawInt32({ parts, state }: MachineContext, name: string): number {
  state.random[name] ??= parts.chance.start(parts.seed, name);
  return parts.chance.int32(state.random[name]);
}

function kvmHost(context: MachineContext): KvmHost {
  return {
    now: () => nowNs(context.state.clock),
    hostTsc: () => BigInt(nowNs(context.state.clock)) * BigInt(TSC_PER_NS),
    raise: context.raise,
    wallClockAtPowerOn: context.parts.wallClockAtPowerOn,
  };
}

function vmmHost(context: MachineContext, guest: Guest): VmmHost {
  const memory: HostMemory = {
    allocate(_name, size) {
      const { hostMemory } = context.state;
      const hva = hostMemory.next;
      hostMemory.next = hva + Math.ceil(size / 4096) * 4096;
      return hva;
    },
    readHost: (hva, length) => guest.readHost(hva, length),
    writeHost: (hva, bytes) => guest.writeHost(hva, bytes),
  };
  return {
    now: () => nowNs(context.state.clock),
    raise: context.raise,
    ask: (request) => ask(context, request),
    memory,
    wallClockAtPowerOn: context.parts.wallClockAtPowerOn,
  };
}

/** A request of a device: what ends the run is state, the rest leaves at once. */
function ask(context: MachineContext, request: HostRequest): void {
  const { schedule } = context.state;
  switch (request.ask) {
    case 'exit':
      schedule.ended ??= { why: 'exit', status: request.status };
      context.raise({ kind: 'sim:exit_requested', status: request.status });
      break;
    case 'power-off':
      schedule.ended ??= { why: 'powered-off', status: 0 };
      context.raise({ kind: 'sim:powered_off' });
      break;
    case 'serial-output':
      context.raise({ kind: 'sim:serial_sent', line: request.line, byte: request.byte });
      break;
    case 'debugcon-output':
      context.raise({ kind: 'sim:debugcon_sent', byte: request.byte });
      break;
    default:
      break;
  }
  context.parts.onRequest(request);
}
