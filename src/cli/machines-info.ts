import { fileName } from '../base/file-name.ts';
import { onOneLine } from '../base/printable.ts';
import type { JointManifest } from '../runs/fabric/manifest.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { openToLook, type Print } from './trace-commands.ts';

/** `retrovisor info` of a recording of several machines: who is in it, and what joins them. */
export function printMachines(path: string, { machines, links }: JointManifest, print: Print): void {
  const file = onOneLine(path);
  print(`${file}: Retrovisor recording of ${machines.length} machines: each is a trace by the name given here`);
  for (const { name } of machines) {
    const trace = openToLook(`${path}:${name}`);
    const { smp, paths } = readDescription(trace.header.machine, path);
    const image = onOneLine(fileName(String(paths['kernel'] ?? paths['bios'] ?? '')));
    print(`${file}:${name}: ${smp === 0 ? 'a bridge' : image}`);
  }
  for (const { ends, latencyNs } of links) {
    const [one, other] = ends.map(({ machine, dev }) => `${machines[machine]?.name} ${onOneLine(dev)}`);
    print(`link: ${one} - ${other}, ${latencyNs / 1000} us`);
  }
}
