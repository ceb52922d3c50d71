import type { Stamped } from '../../src/events/stamped.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { Chance, InputSource, MachineParts } from '../../src/machine/parts.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { recordedInputs } from '../../src/replay/verify.ts';
import { fakeMultiboot } from '../vmm/loaders/kernels.ts';
import { countingEngine, MEMORY_MIB } from './counting-guest.ts';
import { inputQueue, pcOn } from './pc.ts';

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

/** A pc with the counting guest, and everything it raises. */
export function countingMachine(options: CountingOptions = {}): CountingRun {
  const events: Stamped[] = [];
  const {
    vcpus = 1,
    seed = '1',
    inputs = inputQueue(),
    chance = CHANCE,
    digestEvery = 20_000,
    engine,
    onEvent,
  } = options;
  const pc = {
    machine: 'pc',
    memory: MEMORY_MIB,
    smp: vcpus,
    kernel: { name: 'counting.elf', bytes: fakeMultiboot() },
    devices: [],
    serialLines: 1,
    noDefaults: true,
  } as const;
  const machine = pcOn(pc, {
    engine: engine ?? countingEngine,
    chance,
    inputs,
    seed,
    wallClockAtPowerOn: 0n,
    digestEvery,
    onEvent(stamped) {
      events.push(stamped);
      onEvent?.(stamped);
    },
  });
  return { machine, events };
}
