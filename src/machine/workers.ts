/** Threads that are no vCPU's: they sleep until something is signalled, then do one piece of work at a time. */
import type { Origin } from '../events/origin.ts';
import { MAIN_LOOP, type Source } from '../events/stamped.ts';
import type { Work, WorkerThread } from '../reducers/state.ts';
import { workerOf } from '../reducers/threads.ts';
import { type MachineContext, now, originOf } from './context.ts';

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
function wakesAt(context: MachineContext, { source, busyUntil }: WorkerThread): number {
  const { costs } = context.state.config;
  if (busyUntil > now(context)) return busyUntil;
  return now(context) + costs[source === MAIN_LOOP ? 'main-loop-wake' : 'worker-wake'];
}

const work = ({ vmm }: MachineContext, { fd, tap }: Work, from: Origin): number =>
  tap === undefined ? vmm.handle(fd!, from) : vmm.read(tap, from);

/** Do one piece of work, because of the signal that made it: others act before the next. */
export function runWorker(context: MachineContext, { source, work: [first] }: WorkerThread): void {
  const { costs } = context.state.config;
  const begun = now(context);
  const origin = originOf(context, source);
  // Somebody else may have seen the signal.
  if (first === undefined) origin.raise({ kind: 'sim:thread_ran', thread: source, elements: 0, until: begun });
  else {
    const from = origin.after(first.signal);
    const elements = work(context, first, from);
    const until = begun + costs.handler + elements * costs.element;
    from.raise({ kind: 'sim:thread_ran', thread: source, elements, until });
  }
}
