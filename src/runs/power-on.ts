import { powerOn as stateAtPowerOn } from '../reducers/power-on.ts';
import { seal } from '../reducers/seal.ts';
import type { MachineState } from '../reducers/state.ts';
import { configurationOf, type MachineDescription } from './machine/machine-description.ts';
import { descriptionOf } from './underway/open-session.ts';
import { type RunArguments, understoodRun } from '../options/run-request.ts';

/**
 * The state of a machine before its first event, immutable: where a fold of a run's events begins. The machine is as
 * the options say, whose images are not read, or as a run says of itself (`describe().machine`).
 */
export function powerOn(machine: RunArguments | MachineDescription): MachineState {
  const description = isDescription(machine) ? machine : descriptionOf(understoodRun(machine));
  return seal(undefined, stateAtPowerOn(configurationOf(description)));
}

const isDescription = (machine: RunArguments | MachineDescription): machine is MachineDescription =>
  'digestEvery' in machine;
