import type { HostRequest } from '../devices/device.ts';
import { MAIN_LOOP } from '../events/stamped.ts';
import type { KvmHost } from '../kvm/api.ts';
import type { ExecutionControls, Guest } from '../kvm/guest.ts';
import type { HostMemory, VmmHost } from '../vmm/host.ts';
import { adoptStates, draw64, type MachineContext } from './context.ts';
import { advance, type Reason, type Until } from './loop.ts';
import { followPages, type Pages } from '../memory/pages.ts';
import type { Engine, KvmPart, MachineParts, VmmPart, TableWrite } from './parts.ts';
import { stamper } from './tell.ts';
import { type MachineState, nowNs, stateAtPowerOn } from '../reducers/state.ts';
import { timedGuest } from './timed-processor.ts';

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
  /** What the processors obey: part of a checkpoint, not plain. */
  readonly controls: readonly ExecutionControls[];
  /** Put another state in; memory has been put back by `pages`. */
  replaceState(state: MachineState, controls: readonly ExecutionControls[]): void;
}

const TSC_PER_NS = 2;

/** Build a machine and power it on: `sim:powered_on` is its first event. */
export function createMachine(parts: MachineParts): Machine {
  const nsPerTick = parts.nsPerTick ?? 8;
  const state = stateAtPowerOn(nsPerTick, parts.vcpus, {}, {});
  state.schedule.nextDigest = parts.digestEvery ?? 0;
  // The parts refer to the context and are in it: they are put in below, before anything runs.
  const context = {
    parts,
    state,
    source: MAIN_LOOP,
    cause: -1,
    cutAt: Number.POSITIVE_INFINITY,
    endAt: 0,
    hasBroken: false,
    controls: [] as ExecutionControls[],
  } as MachineContext;
  context.raise = stamper(context);
  context.raise({ kind: 'sim:powered_on', seed: parts.seed, wall_clock: parts.wallClockAtPowerOn });
  context.engine = parts.engine({
    hostTsc: () => BigInt(nowNs(context.state.clock)) * BigInt(TSC_PER_NS),
    tscPerTick: nsPerTick * TSC_PER_NS,
    random: () => drawForGuest(context),
    ticks: () => context.state.clock.ticks,
    tableWritten: (write) => noteTableWrite(context, write),
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
    get controls() {
      return context.controls.slice();
    },
    replaceState(next, controls) {
      context.state = next;
      context.kvm.state = next.kvm;
      context.vmm.restore(next.vmm);
      context.controls = controls.slice();
      for (const [vcpu, each] of controls.entries()) context.engine.setControls(vcpu, each);
    },
  };
}

/** 64 bits for an instruction: a fact, stamped with its VM entry's tick, since where a run is cut must not be seen. */
function drawForGuest(context: MachineContext): bigint {
  const { clock, schedule } = context.state;
  const value = draw64(context, 'rdrand');
  const { ticks } = clock;
  clock.ticks = ticks - schedule.carriedTicks[schedule.turn];
  context.raise({ kind: 'sim:random_drawn', stream: 'rdrand', value });
  clock.ticks = ticks;
  return value;
}

/** Stamped with the tick of the instruction that wrote, which is the same wherever the run is cut. */
function noteTableWrite(context: MachineContext, write: TableWrite): void {
  const { clock } = context.state;
  const { ticks } = clock;
  clock.ticks = ticks + write.ticks;
  context.raise({ kind: 'sim:guest_pt_write', vcpu_id: write.vcpu, gpa: write.gpa, old: write.old, new: write.new });
  clock.ticks = ticks;
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

/** A request of a device, which told the event itself: what ends the run is state, the rest leaves at once. */
function ask(context: MachineContext, request: HostRequest): void {
  const { schedule } = context.state;
  switch (request.ask) {
    case 'exit':
      schedule.ended ??= { why: 'exit', status: request.status };
      break;
    case 'power-off':
      schedule.ended ??= { why: 'powered-off', status: 0 };
      context.raise({ kind: 'sim:powered_off' });
      break;
    default:
      break;
  }
  context.parts.onRequest(request);
}
