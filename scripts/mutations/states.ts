/** `states.ts TRACE`: the immutable states of a trace, compared at every digest, and who changes what. */
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { amiss } from '../../test/sim/storm/ownership.ts';

const AMISS = 3;
const [path = ''] = process.argv.slice(2);
const trace = openTraceFile(path);
const found = amiss(powerOn(configurationOf(readDescription(trace.header.machine, path))), inOrder(trace));
if (found !== undefined) {
  process.stdout.write(`${found}\n`);
  process.exitCode = AMISS;
}
