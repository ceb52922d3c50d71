import { Problem } from '../base/problem.ts';
import type { Tick } from '../base/units.ts';
import { runOptions } from '../options/run-arguments.ts';
import { typist } from '../runs/underway/typist.ts';
import { NODE } from '../host/node.ts';
import type { Stamped } from '../events/stamped.ts';
import { describeDivergence } from '../replay/divergence.ts';
import type { ReadTrace, TraceAccess, TraceReader } from '../replay/trace/reader.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { openSession } from '../runs/underway/open-session.ts';
import { endOf } from '../replay/places.ts';
import { openRecordedRun, openTimeline, type RunAccess } from '../runs/recorded/recorded-run.ts';
import { openTraceFile } from '../host/trace-file.ts';

/** A run recorded for a test. */
export interface RecordedGuest {
  readonly trace: string;
  /** The status `retrovisor run` would have ended with; 0 when every processor waited for ever. */
  readonly status: number;
  /** What the guest printed on its first serial line. */
  readonly console: string;
}

const SLICE_MS = 8;

/** Run a guest to its end, recorded, with the options of `retrovisor run`. Nobody types but `--type`. */
export function recordGuest(trace: string, options: readonly string[]): RecordedGuest {
  const chosen = runOptions([...options, '--trace', trace]);
  const script = typist(chosen.typed);
  const printed: Uint8Array[] = [];
  const session = openSession(NODE, chosen, {
    serial(line, bytes) {
      if (line !== 0) return;
      printed.push(bytes);
      script.hear(bytes);
    },
    character: () => undefined,
  });
  let status = 0;
  try {
    for (;;) {
      const pause = session.run(SLICE_MS, false);
      if (pause.pause === 'ended') {
        status = pause.end.status;
        break;
      }
      const typed = script.next();
      if (typed !== undefined) session.type(0, typed);
      else if (pause.pause === 'idle') break;
    }
  } finally {
    session.close();
  }
  return { trace, status, console: Buffer.concat(printed).toString('latin1') };
}

/** What is wrong with a trace, and where one can see it. */
export interface Fault {
  readonly said: string;
  readonly tick: Tick;
}

/**
 * The first divergence of a trace run again; undefined when all of it came out as recorded. Throws a Problem for a
 * trace that is damaged or cut.
 */
export function divergenceOf(trace: string, access: RunAccess): Fault | undefined {
  const run = openRecordedRun(NODE, trace, access);
  try {
    refuseDamaged(run.read, run.trace);
    const { timeline, verifier, events } = openTimeline(run, { every: Number.MAX_SAFE_INTEGER });
    const { tick } = endOf(events);
    timeline.seek(endOf(events));
    const { agreed, divergence } = verifier;
    if (divergence !== undefined) return { said: describeDivergence(divergence), tick: divergence.tick };
    if (agreed === events.length) return undefined;
    return { said: `The replay ended after ${agreed} of ${events.length} events.`, tick };
  } finally {
    run.trace.close();
  }
}

/** Ask something of a trace's events. Throws a Problem for a trace that is damaged or cut: it proves nothing. */
export function askEvents<T>(trace: string, access: TraceAccess, ask: (events: readonly Stamped[]) => T): T {
  const file = openTraceFile(trace, access);
  try {
    const read = lazyEvents(file);
    refuseDamaged(read, file);
    return ask(read.events);
  } finally {
    file.close();
  }
}

function refuseDamaged({ damage }: ReadTrace, { cut }: TraceReader): void {
  if (damage === undefined) return;
  throw new Problem(damage === cut ? `${damage} \`acceptCut: true\` takes that for the whole.` : damage);
}
