/** `calls-again.ts TRACE STORM`: the calls of a monitor are made again, and every event compared with the recorded. */
import { openTraceFile } from '../../src/host/trace-file.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { createVerifier } from '../../src/replay/verify.ts';
import { type CallStorm, stormOfCalls } from '../../test/sim/storm/record-calls.ts';

const DIVERGED = 3;
const [path = '', storm = ''] = process.argv.slice(2);
const verifier = createVerifier([...inOrder(openTraceFile(path))]);
stormOfCalls(JSON.parse(storm) as CallStorm, verifier.check);
if (verifier.divergence !== undefined) {
  process.stdout.write(`${describeDivergence(verifier.divergence)}\n`);
  process.exitCode = DIVERGED;
}
