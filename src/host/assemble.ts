import { invariant } from '../base/invariant.ts';
import type { HostRequest } from '../devices/device.ts';
import { createEngine } from '../engine/index.ts';
import type { Stamped } from '../events/stamped.ts';
import { ENGINE_FEATURES } from '../kvm/cpuid.ts';
import { createKvm, createKvmState, type KvmKernel } from '../kvm/kvm.ts';
import type { KvmState } from '../kvm/state.ts';
import type { InputSource, MachineParts } from '../machine/parts.ts';
import { CHANCE } from '../replay/sources/random.ts';
import { createMachinePc, type Vmm } from '../vmm/index.ts';
import type { Images } from './images.ts';
import { type MachineDescription, machineOptions } from './machine-description.ts';
import { instantiate } from './wasm.ts';

/** What a machine is built from, besides the code: equal values give equal runs. */
export interface Assembly {
  readonly description: MachineDescription;
  readonly images: Images;
  readonly seed: string;
  readonly wallClockAtPowerOn: bigint;
  readonly inputs: InputSource;
  /** What stands in for the processor: a fold's tape. */
  readonly engine?: MachineParts['engine'];
  onEvent(stamped: Stamped): void;
  onRequest(request: HostRequest): void;
}

/** The parts of a machine, and what a monitor asks beside them. */
export interface Assembled {
  readonly parts: MachineParts;
  /** QEMU's half, once the machine stands. */
  vmm(): Vmm;
  kvmState(): KvmState;
}

/** Engine, KVM and vmm put together as the loop wants them: the same for a recording and its replay. */
export function assemble(assembly: Assembly): Assembled {
  const { description, images } = assembly;
  const options = machineOptions(description, images);
  let vmm: Vmm | undefined;
  let kvm: KvmKernel | undefined;
  const parts: MachineParts = {
    engine: assembly.engine ?? liveEngine(description),
    kvm: (guest, host) => {
      kvm = createKvm(guest, host, createKvmState(), ENGINE_FEATURES);
      return kvm;
    },
    vmm: (ioctls, host) => {
      vmm = createMachinePc(ioctls, options, host);
      return vmm;
    },
    chance: CHANCE,
    inputs: assembly.inputs,
    seed: assembly.seed,
    wallClockAtPowerOn: assembly.wallClockAtPowerOn,
    vcpus: description.smp,
    nsPerTick: description.nsPerTick,
    digestEvery: description.digestEvery,
    onEvent: assembly.onEvent,
    onRequest: assembly.onRequest,
  };
  return {
    parts,
    vmm() {
      invariant(vmm !== undefined, 'the monitor is asked once the machine stands');
      return vmm;
    },
    kvmState() {
      invariant(kvm !== undefined, 'the monitor is asked once the machine stands');
      return kvm.state;
    },
  };
}

/** Host memory beside guest RAM: firmware, option ROM, and room for what rounding takes. */
const ROM_BYTES = 8 << 20;

/** The processor itself, with host memory for this machine. */
const liveEngine =
  ({ memory, guestPageTables }: MachineDescription): MachineParts['engine'] =>
  (time) =>
    createEngine({
      hostBytes: memory * 2 ** 20 + ROM_BYTES,
      instantiate,
      hostTsc: () => time.hostTsc(),
      tscPerTick: time.tscPerTick,
      random: () => time.random(),
      ...(guestPageTables
        ? { onTableWrite: (write, vcpu, ticks) => time.tableWritten({ ...write, vcpu, ticks }) }
        : {}),
    });
