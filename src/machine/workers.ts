/** Threads that are no vCPU's: they sleep until something is signalled, then do one piece of work at a time. */
import type { Origin } from '../events/origin.ts';
import { MAIN_LOOP, type Source, sourceName } from '../events/stamped.ts';
import type { Work, WorkerThread } from '../reducers/state.ts';
import { workerOf } from '../reducers/threads.ts';
import { chanceOf, type MachineContext, nextSeq, now, originOf } from './context.ts';

/** An eventfd was signalled: the thread that polls it is to act. One that does not sleep looks again by itself. */
export function wakePoller(context: MachineContext, fd: number, origin: Origin): void {
  const { schedule, vmm } = context.state;
  const polled = vmm.eventfds[fd];
  if (polled === undefined) return;
  const thread = workerOf(schedule.threads, polled.thread);
  if (thread === undefined || thread.actsAt !== undefined) return;
  origin.raise({ kind: 'sim:thread_woken', thread: thread.source, at: wakesAt(context, thread) });
}

/** A thread may have something to do: it acts, unless it is about to. */
export function wake(context: MachineContext, source: Source, origin: Origin): void {
  const thread = workerOf(context.state.schedule.threads, source);
  if (thread === undefined || thread.actsAt !== undefined || thread.work.length === 0) return;
  origin.raise({ kind: 'sim:thread_woken', thread: source, at: wakesAt(context, thread) });
}

/** Who is still busy has not gone to sleep. */
function wakesAt(context: MachineContext, { source, busyUntil, kind }: WorkerThread): number {
  const { costs } = context.state.config;
  if (busyUntil > now(context)) return busyUntil;
  if (kind === 'vhost') return now(context) + about(context, source, costs['worker-wake']);
  return now(context) + costs[source === MAIN_LOOP ? 'main-loop-wake' : 'worker-wake'];
}

/**
 * What something takes of a worker of the kernel, which shares its core with whatever else the host does: half to one
 * and a half of what is usual, drawn by the place of the run.
 */
function about(context: MachineContext, source: Source, usual: number): number {
  const draw = chanceOf(context, sourceName(source), nextSeq(context)) >>> 0;
  return Math.floor(usual / 2) + (draw % (usual + 1));
}

const work = ({ vmm }: MachineContext, { fd, tap }: Work, from: Origin): number =>
  tap === undefined ? vmm.handle(fd!, from) : vmm.read(tap, from);

/** Do one piece of work, because of the signal that made it: others act before the next. */
export function runWorker(context: MachineContext, { source, kind, work: [first] }: WorkerThread): void {
  const { costs } = context.state.config;
  const begun = now(context);
  const origin = originOf(context, source);
  // Somebody else may have seen the signal.
  if (first === undefined) origin.raise({ kind: 'sim:thread_ran', thread: source, elements: 0, until: begun });
  else if (kind === 'vhost') runVhost(context, source, first, origin.after(first.signal));
  else {
    const from = origin.after(first.signal);
    const elements = work(context, first, from);
    const until = begun + costs.handler + elements * costs.element;
    from.raise({ kind: 'sim:thread_ran', thread: source, elements, until });
  }
}

/** The kernel's worker moves one frame, or finds that there is none. What it is woken for costs it once. */
function runVhost(context: MachineContext, source: Source, first: Work, from: Origin): void {
  const { costs } = context.state.config;
  const begun = now(context);
  const { client, queue, elements, end } = context.vmm.serveVhost(first, from);
  const usual = (end === 'more' ? 0 : costs.handler) + elements * costs.element;
  const until = begun + about(context, source, usual);
  from.raise({ kind: 'sim:vhost_ran', client, queue, thread: source, elements, until, end });
}
