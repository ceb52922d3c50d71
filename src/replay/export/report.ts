import type { Ns } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import { sourceName, type Stamped, vcpuOf } from '../../events/stamped.ts';
import { textOf } from './text.ts';

/** Virtual time of events, told from the events themselves. */
export interface EventClock {
  /** Virtual nanoseconds at which this event happened; call it for every event in order. */
  ns(stamped: Stamped): Ns;
}

const OF_TIME: ReadonlySet<string> = new Set(['kvm_exit', 'kvm_userspace_exit', 'sim:idle_warped']);

/** Kinds of events that an `EventClock` has to be told; of others it is told those whose time is asked for. */
export const tellsTime = (kind: string): boolean => OF_TIME.has(kind);

/** Ticks, the warps among the events and what each exit and each trip to user space takes give virtual time. */
export function eventClock({ nsPerTick, costs }: Pace): EventClock {
  let warped = 0;
  return {
    ns({ tick, event }) {
      if (event.kind === 'kvm_exit') warped += costs.exit;
      else if (event.kind === 'kvm_userspace_exit') warped += costs['user-exit'];
      else if (event.kind === 'sim:idle_warped') warped = event.to - tick * nsPerTick;
      return tick * nsPerTick + warped;
    },
  };
}

/** Which CPU column a source gets: vCPU n runs on CPU n, everything else on CPU 0. */
const cpuOf = (source: number): number => Math.max(0, vcpuOf(source));

/** Seconds and microseconds, as the kernel prints them before a line. */
export function secondsText(ns: Ns): string {
  const micros = Math.floor((ns % 1e9) / 1000);
  return `${Math.floor(ns / 1e9)}.${String(micros).padStart(6, '0')}`.padStart(12);
}

/** One line as `trace-cmd report` prints it: task-pid, CPU, seconds, event name, text. */
export function reportLine(stamped: Stamped, ns: Ns): string {
  const { source, event } = stamped;
  const task = `${sourceName(source)}-${source}`.padStart(20);
  const cpu = String(cpuOf(source)).padStart(3, '0');
  return `${task} [${cpu}] ${secondsText(ns)}: ${`${event.kind}:`.padEnd(21)} ${textOf(event)}`;
}

/** Lines of a whole run. */
export function* report(events: Iterable<Stamped>, pace: Pace): Generator<string> {
  const clock = eventClock(pace);
  for (const stamped of events) yield reportLine(stamped, clock.ns(stamped));
}
