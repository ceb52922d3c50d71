import type { Tell } from '../events/origin.ts';
import type { Ns, Seq, Tick } from '../base/units.ts';
import { MAIN_LOOP, USER } from '../events/stamped.ts';
import { type KvmHost, TSC_PER_NS } from '../kvm/context.ts';
import type { KvmKernel } from '../kvm/api.ts';
import { followPages, type Pages } from '../memory/pages.ts';
import { NO_PAYLOADS } from '../memory/payloads.ts';
import { powerOn } from '../reducers/power-on.ts';
import { SliceDigests } from '../reducers/slices.ts';
import type { MachineState } from '../reducers/state.ts';
import type { VmmHost } from '../vmm/host.ts';
import type { Vmm } from '../vmm/vmm.ts';
import {
  chanceOf,
  drawnOf,
  type MachineContext,
  nextDeadline,
  nextSeq,
  now,
  originOf,
  restored,
  UNKNOWN,
} from './context.ts';
import { advance, type Reason, type Until } from './loop.ts';
import type { Engine, GuestTime, MachineParts, TableWrite } from './parts.ts';
import { MachineProcessor } from './processor.ts';
import { isHaltedForGood, isIdle } from './schedule.ts';
import { teller } from './tell.ts';
import { wake, wakePoller } from './workers.ts';

/** A machine: power-on to power-off. */
export interface Machine {
  /** The open state; changes while `advance` runs, by facts alone. */
  readonly state: MachineState;
  /** Guest instructions retired by all vCPUs. */
  readonly ticks: number;
  /** Sequence number of the next event. */
  readonly seq: Seq;
  readonly kvm: KvmKernel;
  readonly vmm: Vmm;
  readonly engine: Engine;
  readonly pages: Pages;
  /** Virtual nanoseconds since power-on. */
  now(): Ns;
  /** Virtual nanosecond of the next deadline; Infinity when no timer is armed and every worker sleeps. */
  nextDeadline(): number;
  /** Nothing within the machine wakes a processor, and nobody measures how it goes on. */
  isHaltedForGood(): boolean;
  /** No processor runs, or could: the next deadline, or an input, goes on. */
  isIdle(): boolean;
  advance(until: Until): Reason;
  /** Be in another state, as it was after so many ticks; memory has been put back by `pages`. */
  restore(state: MachineState, ticks: number): void;
}

/** Build a machine and power it on: `sim:powered_on` is its first event. */
export function createMachine(parts: MachineParts): Machine {
  const context = new PoweredOn(parts);
  return {
    state: context.state,
    get ticks() {
      return context.ticks;
    },
    get seq() {
      return nextSeq(context);
    },
    kvm: context.kvm,
    vmm: context.vmm,
    engine: context.engine,
    pages: context.pages,
    now: () => now(context),
    nextDeadline: () => nextDeadline(context),
    isHaltedForGood: () => isHaltedForGood(context),
    isIdle: () => isIdle(context),
    advance: (until) => advance(context, until),
    restore: (earlier, ticks) => restored(context, earlier, ticks),
  };
}

/** The parts refer to the context and are in it: each is made when those it asks at once are there. */
class PoweredOn implements MachineContext {
  readonly parts: MachineParts;
  readonly state: MachineState;
  readonly digests: SliceDigests;
  ticks: Tick = 0;
  cutAt = Number.POSITIVE_INFINITY;
  kernelDeadline: Ns = UNKNOWN;
  userDeadline: Ns = UNKNOWN;
  hasBroken = false;
  readonly tell: Tell;
  readonly engine: Engine;
  readonly processor: MachineProcessor;
  readonly kvm: KvmKernel;
  readonly vmm: Vmm;
  readonly pages: Pages;

  constructor(parts: MachineParts) {
    this.parts = parts;
    this.state = powerOn(parts.made);
    this.digests = new SliceDigests(this.state);
    this.tell = teller(this);
    const start = { kind: 'sim:powered_on', seed: parts.seed, wall_clock: parts.wallClockAtPowerOn } as const;
    const switchedOn = originOf(this, USER).raise(start);
    this.engine = parts.engine(guestTime(this));
    this.processor = new MachineProcessor(this);
    this.kvm = parts.kvm(this.processor, kvmHost(this));
    this.vmm = parts.vmm(this.kvm, vmmHost(this), originOf(this, MAIN_LOOP).inside(switchedOn));
    this.pages = followPages([...this.engine.regions, ...(this.vmm.regions ?? [])]);
  }
}

function guestTime(context: MachineContext): GuestTime {
  return {
    hostTsc: () => BigInt(now(context)) * BigInt(TSC_PER_NS),
    tscPerTick: context.state.config.nsPerTick * TSC_PER_NS,
    ticks: () => context.ticks,
    random: (ticks) => drawForGuest(context, ticks),
    tableWritten: (write) => tellTableWrite(context, write),
  };
}

const RANDOM_STREAM = 'rdrand';

/** 64 bits for an instruction: a fact, stamped with the tick of that instruction, wherever the run is cut. */
function drawForGuest(context: MachineContext, ticks: number): bigint {
  const drawn = drawnOf(context, RANDOM_STREAM);
  const word = (n: number): bigint => BigInt(chanceOf(context, RANDOM_STREAM, drawn + n) >>> 0);
  const value = (word(1) << 32n) | word(2);
  const origin = context.processor.running ?? originOf(context, MAIN_LOOP);
  origin.raise({ kind: 'sim:random_drawn', stream: RANDOM_STREAM, value }, context.ticks + ticks);
  return value;
}

/** What the next numbers of a stream are as bytes, little-endian. */
function chanceBytes(context: MachineContext, stream: string, length: number): Uint8Array {
  const drawn = drawnOf(context, stream);
  const numbers = Int32Array.from({ length: Math.ceil(length / 4) }, (_, at) =>
    chanceOf(context, stream, drawn + at + 1),
  );
  return new Uint8Array(numbers.buffer).subarray(0, length);
}

function tellTableWrite(context: MachineContext, { vcpu, ticks, gpa, old, new: written }: TableWrite): void {
  const origin = context.processor.running ?? originOf(context, MAIN_LOOP);
  origin.raise({ kind: 'sim:guest_pt_write', vcpu_id: vcpu, gpa, old, new: written }, context.ticks + ticks);
}

function kvmHost(context: MachineContext): KvmHost {
  return {
    get state() {
      return context.state.kvm;
    },
    get costs() {
      return context.state.config.costs;
    },
    get wallClockAtPowerOn() {
      return context.state.clock.wallClockAtPowerOn;
    },
    now: () => now(context),
    signalled: (fd, origin) => wakePoller(context, fd, origin),
  };
}

function vmmHost(context: MachineContext): VmmHost {
  return {
    get state() {
      return context.state.vmm;
    },
    get config() {
      return context.state.config;
    },
    get nextHva() {
      return context.state.hostMemory.next;
    },
    get hasEnded() {
      return context.state.schedule.ended !== undefined;
    },
    now: () => now(context),
    chance: (stream, length) => chanceBytes(context, stream, length),
    memoryFor: (origin) => context.processor.from(origin),
    wake: (thread, origin) => wake(context, thread, origin),
    payload: (sha256) => (context.parts.payloads ?? NO_PAYLOADS).payload(sha256),
  };
}
