/** A machine that was recorded with others, and what went between them. */
import { existsSync } from 'node:fs';
import { withMachine } from '../host/joint-file.ts';
import { jointAt } from '../host/trace-source.ts';
import { trafficOf } from '../runs/fabric/crossings.ts';
import { Passages, tellsOfFrames } from '../runs/fabric/passages.ts';
import { type MachineIn, machinesIn } from './machines-in.ts';
import { SoundEvents } from './trace-commands.ts';

/** All machines of a recording, and which of them is meant. */
export interface Company {
  readonly machines: readonly MachineIn[];
  /** Its place among them. */
  readonly at: number;
  readonly passages: Passages;
}

/** The company of the machine a path names, as `net.trace:alice`; undefined: it was recorded alone. */
export function companyOf(path: string): Company | undefined {
  const { file, machine: name } = withMachine(path);
  const joint = name === undefined || !existsSync(file) ? undefined : jointAt(file);
  const at = joint?.machines.findIndex((each) => each.name === name) ?? -1;
  if (joint === undefined || at < 0) return undefined;
  const machines = machinesIn(file);
  // Who reads them says what is wrong with them.
  const traffic = machines.map(({ trace, description }) =>
    trafficOf(new SoundEvents(trace, () => undefined).inOrder(tellsOfFrames), description),
  );
  return { machines, at, passages: new Passages(traffic, joint.links) };
}
