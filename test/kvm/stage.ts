import { expect, onTestFinished } from 'vitest';
import type { Origin } from '../../src/events/origin.ts';
import { type Stamped, vcpuSource } from '../../src/events/stamped.ts';
import type { MachineEvent } from '../../src/events/vocabulary.ts';
import type { Kvm } from '../../src/kvm/api.ts';
import { KvmContext, type KvmHost } from '../../src/kvm/context.ts';
import { BASELINE_FEATURES, type CpuFeatures } from '../../src/kvm/vcpu/cpuid.ts';
import { resample } from '../../src/kvm/io/eventfd.ts';
import type { Processor } from '../../src/kvm/processor.ts';
import * as io from '../../src/kvm/ioctl/ioctls.ts';
import { createKvm } from '../../src/kvm/kvm.ts';
import type { KvmState } from '../../src/kvm/state.ts';
import { createMachine, type Machine } from '../../src/machine/machine.ts';
import type { MachineParts } from '../../src/machine/parts.ts';
import { evolve } from '../../src/reducers/evolve.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import { differenceOf, thaw } from '../../src/reducers/seal.ts';
import { digestSlices } from '../../src/reducers/slices.ts';
import type { MachineState } from '../../src/reducers/state.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { IDLE_MONITOR, populate } from './user-space.ts';

/** KVM in a machine without a monitor: tests are its user space. */
export interface Stage {
  readonly machine: Machine;
  readonly kvm: Kvm;
  readonly origin: Origin;
  readonly state: KvmState;
  /** Everything raised so far; tests empty it. */
  readonly stamped: Stamped[];
  readonly events: MachineEvent[];
  /** KVM from within, on the main loop's thread. */
  readonly context: KvmContext;
  /** What a vCPU's thread raises follows from the vCPU's last exit. */
  onThread(vcpu: number): Origin;
  /** Virtual time moves on to `ns`. */
  passTo(ns: number): void;
  /** The machine is in this state, as it was when it had come to a tick. The processor's own is not touched. */
  putBack(state: MachineState, tick: number): void;
}

const MADE = {
  memory: 1,
  smp: 4,
  serialLines: 0,
  devices: [],
  firmware: false,
  noReboot: false,
  nsPerTick: 8,
  digestEvery: 0,
} as const;

/** What the machine hands to its parts. */
interface Given {
  readonly origin: Origin;
  readonly processor: Processor;
  readonly host: KvmHost;
}

/**
 * KVM over a processor. When the test is over, the facts alone must come to the state the machine is in: whatever
 * decides has changed nothing by itself. The digests it raises on the way, kept up to date by what the facts own, must
 * be those of what the facts come to.
 */
export function stage(engine: MachineParts['engine'], features: CpuFeatures = BASELINE_FEATURES): Stage {
  const stamped: Stamped[] = [];
  const events: MachineEvent[] = [];
  let folded = thaw(powerOn(MADE));
  const given: Partial<Given> = {};
  const machine = createMachine({
    made: MADE,
    engine,
    kvm(processor, host) {
      Object.assign(given, { processor, host });
      return createKvm(processor, host, features);
    },
    vmm(_kernel, _host, origin) {
      Object.assign(given, { origin });
      return IDLE_MONITOR;
    },
    chance: CHANCE,
    inputs: { peek: () => undefined, take: () => undefined },
    seed: 'stage',
    wallClockAtPowerOn: 0n,
    onEvent(each) {
      evolve(folded, each);
      if (each.event.kind === 'sim:digest') expect(each.event.slices).toEqual(digestSlices(folded));
      stamped.push(each);
      events.push(each.event);
    },
  });
  onTestFinished(() => expect(differenceOf(folded, machine.state), 'where facts do not lead').toBeUndefined());
  const { origin, processor, host } = given as Given;
  return {
    machine,
    kvm: machine.kvm.calledBy(origin),
    origin,
    get state() {
      return machine.state.kvm;
    },
    stamped,
    events,
    context: new KvmContext({ processor, host, features, resample }, origin),
    onThread: (vcpu) => origin.by(vcpuSource(vcpu)).inside(machine.state.kvm.vcpus[vcpu]!.exit.seq),
    passTo(ns) {
      origin.raise({ kind: 'sim:idle_warped', from: machine.now(), to: ns });
    },
    putBack(state, tick) {
      folded = thaw(state);
      machine.restore(state, tick);
    },
  };
}

/** A VM with memory from 0 up and as many vCPUs, by the ioctls user space makes. */
export function withVm(
  { kvm }: Stage,
  { irqchip = true, vcpus = 1 }: { readonly irqchip?: boolean; readonly vcpus?: number } = {},
): { readonly vm: number; readonly vcpus: readonly number[] } {
  const fd = kvm.open();
  const vm = kvm.ioctl(fd, io.KVM_CREATE_VM);
  if (irqchip) kvm.ioctl(vm, io.KVM_CREATE_IRQCHIP);
  return { vm, vcpus: populate(kvm, fd, vm, vcpus) };
}
