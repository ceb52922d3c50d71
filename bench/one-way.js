// One way from a trace to what it amounts to, in a process of its own: `npx tsx bench/one-way.js WAY TRACE` prints
// events and CPU seconds as JSON. bench/fold.ts compares them.
import { lastValueFrom } from 'rxjs';
import { openTrace, rerun } from '../src/api/index.ts';
import { configurationOf, readDescription } from '../src/runs/machine/machine-description.ts';
import { openTraceFile } from '../src/host/trace-file.ts';
import { fold, isFolded } from '../src/replay/fold.ts';
import { inOrder } from '../src/replay/trace/in-order.ts';

const WAYS = {
  reading(path) {
    let events = 0;
    for (const _ of inOrder(openTraceFile(path))) events += 1;
    return events;
  },
  plain(path) {
    const trace = openTraceFile(path);
    const made = configurationOf(readDescription(trace.header.machine, path));
    const { events, difference } = fold(inOrder(trace, 0, isFolded), made);
    if (difference !== undefined) throw new Error(`the fold differs at event ${difference.seq}`);
    return events;
  },
  immer: async (path) => (await lastValueFrom(openTrace(path).states$)).at.seq + 1,
  rerun: async (path) => (await rerun(path)).agreed,
  slow: slowReader,
};

/** Holds the run for a while at every few thousandth event, as who writes them to a slower place would. */
async function slowReader(path) {
  const trace = openTrace(path);
  let seen = 0;
  await new Promise((resolve, reject) => {
    trace.events$.subscribe({
      next({ seq }) {
        seen += 1;
        if (seq % 8192 !== 0) return;
        const hold = trace.hold();
        setTimeout(() => hold.release(), 2);
      },
      complete: resolve,
      error: reject,
    });
  });
  return seen;
}

const [way, path] = process.argv.slice(2);
const before = process.cpuUsage();
const events = await WAYS[way](path);
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ events, seconds: (user + system) / 1e6 }));
