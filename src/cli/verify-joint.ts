import { onOneLine } from '../base/printable.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { crossings, trafficOf } from '../runs/fabric/crossings.ts';
import type { JointManifest } from '../runs/fabric/manifest.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import type { Print } from './trace-commands.ts';

/** What machines were given that others did not send: how many links that is true of. */
export function faultsBetween(path: string, { machines, links }: JointManifest, print: Print): number {
  const parties = machines.map(({ name }) => {
    const trace = openTraceFile(`${path}:${name}`, { acceptCut: true });
    const traffic = trafficOf(inOrder(trace), readDescription(trace.header.machine, path));
    trace.close();
    return { name, traffic };
  });
  const { frames, faults } = crossings(parties, links);
  for (const fault of faults) print(`DIVERGED  ${onOneLine(path)}: ${onOneLine(fault)}.`);
  if (faults.length === 0)
    print(`equal  ${frames} frames between the machines of ${onOneLine(path)}, as they were sent`);
  return faults.length;
}
