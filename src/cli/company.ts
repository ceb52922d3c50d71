/** A machine that was recorded with others, and what went between them. */
import { machinesAt } from '../host/trace-source.ts';
import { type Passages, passagesBetween, tellsOfFrames } from '../runs/fabric/passages.ts';
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
  const { file, manifest, at } = machinesAt(path) ?? {};
  if (file === undefined || manifest === undefined || at === undefined) return undefined;
  const machines = machinesIn(file);
  // Who reads them says what is wrong with them.
  const runs = machines.map(({ trace, description }) => ({
    events: new SoundEvents(trace, () => undefined).inOrder(tellsOfFrames),
    pace: description,
  }));
  return { machines, at, passages: passagesBetween(runs, manifest.links) };
}
