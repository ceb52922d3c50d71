import { createEngine } from '../../engine/index.ts';
import type { Stamped } from '../../events/stamped.ts';
import { ENGINE_FEATURES } from '../../kvm/vcpu/cpuid.ts';
import { createKvm } from '../../kvm/kvm.ts';
import type { InputSource, MachineParts } from '../../machine/parts.ts';
import type { PayloadSource } from '../../memory/payloads.ts';
import { CHANCE } from '../../replay/sources/random.ts';
import { createMachinePc, deviceRomBytes } from '../../vmm/index.ts';
import type { World } from '../world.ts';
import { withRoms } from './device-roms.ts';
import type { Disks } from './disks.ts';
import type { Images } from './images.ts';
import { withNetworkFiles } from './network-files.ts';
import type { NetdevConfig } from '../../vmm/config.ts';
import { configurationOf, type MachineDescription, machineOptions } from './machine-description.ts';

/** What a machine is built from, besides the code: equal values give equal runs. */
export interface Assembly {
  readonly world: World;
  readonly description: MachineDescription;
  readonly images: Images;
  /** Without: drives hold zeroes. A rerun knows nothing of what they hold. */
  readonly disks?: Disks | undefined;
  readonly seed: string;
  readonly wallClockAtPowerOn: bigint;
  readonly inputs: InputSource;
  /** What payloads the inputs name are. Without: they name none. */
  readonly payloads?: PayloadSource;
  /** What stands in for the processor: a rerun's tape. */
  readonly engine?: MachineParts['engine'];
  onEvent(stamped: Stamped): void;
}

/** Engine, KVM and vmm put together as the loop wants them: the same for a recording and its replay. */
export function assemble(assembly: Assembly): MachineParts {
  const { description, images, inputs, seed, wallClockAtPowerOn, onEvent } = assembly;
  const loaded = withRoms(machineOptions(description, images, assembly.disks?.bases), images);
  const options = withNetworkFiles(loaded, images, description.netdevs as readonly NetdevConfig[] | undefined);
  return {
    made: configurationOf(description),
    engine: assembly.engine ?? liveEngine(assembly),
    kvm: (processor, host) => createKvm(processor, host, ENGINE_FEATURES),
    vmm: (kernel, host, origin) => createMachinePc(kernel, options, host, origin),
    chance: CHANCE,
    inputs,
    ...(assembly.payloads === undefined ? {} : { payloads: assembly.payloads }),
    seed,
    wallClockAtPowerOn,
    ...(description.eventsPerDigest === undefined ? {} : { eventsPerDigest: description.eventsPerDigest }),
    onEvent,
  };
}

/** Host memory beside guest RAM: firmware, option ROM, and room for what rounding takes. */
const ROM_BYTES = 8 << 20;

/** Calls of its routines after which the processor lets others have their turn: some milliseconds at the dearest. */
const CALLS_PER_RUN = 10_000;

/** The processor itself, with host memory for this machine. */
const liveEngine =
  ({ description, world }: Assembly): MachineParts['engine'] =>
  (time) => {
    const { memory, guestPageTables } = description;
    return createEngine({
      hostBytes: memory * 2 ** 20 + ROM_BYTES + deviceRomBytes(configurationOf(description)),
      instantiate: world.instantiate,
      handlers: world.handlers,
      ...(world.tier === undefined ? {} : { tier: world.tier }),
      hostTsc: () => time.hostTsc(),
      tscPerTick: time.tscPerTick,
      callsPerRun: CALLS_PER_RUN,
      random: (ticks) => time.random(ticks),
      ...(guestPageTables
        ? { onTableWrite: (write, vcpu, ticks) => time.tableWritten({ ...write, vcpu, ticks }) }
        : {}),
    });
  };
