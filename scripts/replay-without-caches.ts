/**
 * Replays a trace and drops translations, walks of EPT and decoded code at random ticks: nothing may come out
 * otherwise. Prints one line of JSON. `npx tsx scripts/replay-without-caches.ts TRACE [--drops 1000] [--seed 1]`.
 */
import { parseArgs } from 'node:util';
import { replayWithoutCaches } from '../test/engine/replayed-without-caches.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { drops: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const replayed = replayWithoutCaches(positionals[0] ?? '', Number(values.drops), values.seed);
console.log(JSON.stringify(replayed));
process.exit(replayed.divergence === undefined ? 0 : 3);
