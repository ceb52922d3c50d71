import { type Costs, USUAL_PACE } from '../../src/events/costs.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { Chance, InputSource, MachineParts } from '../../src/machine/parts.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { recordedInputs } from '../../src/replay/verify.ts';
import type { MachineConfig } from '../../src/vmm/index.ts';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';
import { countingEngine, MEMORY_MIB } from './counting-guest.ts';
import { inputQueue, madeOf, pcOn } from './pc.ts';

const DIGEST_EVERY = 20_000;

export interface CountingRun {
  readonly machine: Machine;
  readonly events: Stamped[];
}

export interface CountingOptions {
  readonly vcpus?: number;
  readonly seed?: string;
  readonly inputs?: InputSource;
  readonly chance?: Chance;
  readonly digestEvery?: number;
  readonly costs?: Costs;
  readonly engine?: MachineParts['engine'];
  readonly onEvent?: (stamped: Stamped) => void;
}

/** Options that make a machine run a recorded run again. */
export const againOptions = (
  events: readonly Stamped[],
  verifier: { check(stamped: Stamped): void },
): CountingOptions => ({
  inputs: recordedInputs(events),
  onEvent: verifier.check,
});

const pc = (vcpus: number) =>
  ({
    machine: 'pc',
    memory: MEMORY_MIB,
    smp: vcpus,
    kernel: { name: 'counting.elf', bytes: fakeMultiboot() },
    devices: [],
    serialLines: 1,
    noDefaults: true,
  }) as const;

/** How such a machine is made. */
export const countingMade = (vcpus: number): Omit<MachineConfig, 'parts'> => madeOf(pc(vcpus), DIGEST_EVERY);

/** A pc with the counting guest, and everything it raises. */
export function countingMachine(options: CountingOptions = {}): CountingRun {
  const events: Stamped[] = [];
  const {
    vcpus = 1,
    seed = '1',
    inputs = inputQueue(),
    chance = CHANCE,
    digestEvery = DIGEST_EVERY,
    costs = USUAL_PACE.costs,
    engine,
    onEvent,
  } = options;
  const machine = pcOn(pc(vcpus), {
    engine: engine ?? countingEngine,
    chance,
    inputs,
    seed,
    wallClockAtPowerOn: 0n,
    digestEvery,
    costs,
    onEvent(stamped) {
      events.push(stamped);
      onEvent?.(stamped);
    },
  });
  return { machine, events };
}
