import { NODE } from '../host/node.ts';
import { type RunArguments, understoodRun } from '../options/run-request.ts';
import { powerOn as stateAtPowerOn } from '../reducers/power-on.ts';
import { seal } from '../reducers/seal.ts';
import type { MachineState } from '../reducers/state.ts';
import { openDisks } from '../runs/machine/disks.ts';
import { configurationOf, type MachineDescription } from '../runs/machine/machine-description.ts';
import { type OpenedTrace, openTrace as openTraceIn, type OpenTraceOptions } from '../runs/recorded/open-trace.ts';
import {
  type RanAgain,
  replay as replayIn,
  rerun as rerunIn,
  type RunAgainOptions,
} from '../runs/recorded/run-again.ts';
import { type OpenedRun, openRun as openRunIn } from '../runs/underway/open-run.ts';
import { descriptionOf } from '../runs/underway/prepare.ts';
import { type Recorded, record as recordIn } from '../runs/underway/record.ts';

/**
 * Open a trace: events and states without its images. Throws a Problem when it is no trace. States are of this
 * version's traces; the events of an older one can be read too.
 */
export const openTrace = (path: string, options: OpenTraceOptions = {}): OpenedTrace =>
  openTraceIn(NODE, path, options);

/**
 * Open a run of the machine the options describe. Throws a Problem for options nobody understands and images that
 * cannot be read.
 */
export const openRun = (wanted: RunArguments): OpenedRun => openRunIn(NODE, understoodRun(wanted));

/** Run a guest to its end, recorded. Rejects with a Problem when it cannot be run, or not be recorded. */
export const record = async (wanted: RunArguments): Promise<Recorded> => recordIn(NODE, understoodRun(wanted));

/**
 * Run a trace again, processor and all, and compare every event with the recorded one. Rejects with a Problem when the
 * trace or an image cannot be read.
 */
export const replay = (path: string, options: RunAgainOptions = {}): Promise<RanAgain> => replayIn(NODE, path, options);

/**
 * Run hypervisor and devices of a trace again on the processor's recorded answers, and compare every event. No image is
 * needed.
 */
export const rerun = (path: string, options: RunAgainOptions = {}): Promise<RanAgain> => rerunIn(NODE, path, options);

/**
 * The state of a machine before its first event, immutable: where a fold of a run's events begins. The machine is as
 * the options say, of whose images only the sizes of disks are looked at, or as a run says of itself
 * (`describe().machine`).
 */
export function powerOn(machine: RunArguments | MachineDescription): MachineState {
  return seal(undefined, stateAtPowerOn(configurationOf(isDescription(machine) ? machine : described(machine))));
}

/** Of images only the sizes of disks are looked at. */
function described(machine: RunArguments): MachineDescription {
  const options = understoodRun(machine);
  return descriptionOf(options, { drives: openDisks(NODE, options.drives).drives });
}

const isDescription = (machine: RunArguments | MachineDescription): machine is MachineDescription =>
  'digestEvery' in machine;
