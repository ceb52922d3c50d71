/** What facts do to the threads of the host: whose turn it is among the vCPUs, what waits for the others. */
import type { Draft } from '../base/draft.ts';
import { invariant } from '../base/invariant.ts';
import { iothreadSource, MAIN_LOOP, type Source, type Stamped, vcpuSource, vhostSource } from '../events/stamped.ts';
import type { EventOf } from '../events/vocabulary.ts';
import type { MachineState, ThreadState, WorkerThread } from './state.ts';

type State = Draft<MachineState>;

/** How many threads of each kind a machine has. */
interface Threads {
  readonly vcpus: number;
  readonly iothreads: number;
  readonly vhosts: number;
}

/** The threads of a machine nobody has switched on: its vCPUs, in order, the main loop, I/O threads, vhost workers. */
export const threadsAtPowerOn = ({ vcpus, iothreads, vhosts }: Threads): readonly ThreadState[] => [
  ...Array.from({ length: vcpus }, (_, vcpu) => ({ kind: 'vcpu', source: vcpuSource(vcpu), turnEnds: 0 }) as const),
  { kind: 'main-loop', source: MAIN_LOOP, ...asleep() },
  ...Array.from(
    { length: iothreads },
    (_, at) => ({ kind: 'iothread', source: iothreadSource(at), ...asleep() }) as const,
  ),
  ...Array.from({ length: vhosts }, (_, at) => ({ kind: 'vhost', source: vhostSource(at), ...asleep() }) as const),
];

/** Each with its own list: facts change a state in place. */
const asleep = () => ({ actsAt: undefined, busyUntil: 0, work: [] });

/** The worker whose events have this source. */
export const workerOf = <T extends { readonly source: Source; readonly kind: ThreadState['kind'] }>(
  threads: readonly T[],
  source: Source,
): Exclude<T, { readonly kind: 'vcpu' }> | undefined =>
  threads.find((thread) => thread.source === source && thread.kind !== 'vcpu') as
    | Exclude<T, { readonly kind: 'vcpu' }>
    | undefined;

function worker({ schedule }: State, source: Source): Draft<WorkerThread> {
  const found = workerOf(schedule.threads, source);
  invariant(found !== undefined, 'the machine has this thread', { source });
  return found;
}

function endTurn({ schedule }: State, vcpu: number, tick: number): void {
  const thread = schedule.threads[vcpu];
  invariant(thread?.kind === 'vcpu', 'turns are those of vCPUs', { vcpu });
  thread.turnEnds = tick;
}

/** sim:thread_switch. */
export function turnGiven(state: State, event: EventOf<'sim:thread_switch'>, { tick }: Stamped): void {
  state.schedule.turn = event.to;
  endTurn(state, event.to, tick + event.quantum);
  if (event.draw > 0) state.chance.draws['scheduler'] = event.draw;
}

/** sim:turn_yielded. */
export function turnYielded(state: State, _event: EventOf<'sim:turn_yielded'>, { tick }: Stamped): void {
  endTurn(state, state.schedule.turn, tick);
}

/** sim:eventfd_signal: work for the thread that polls the eventfd, unless it has that to do already. */
export function workCame(state: State, { fd }: EventOf<'sim:eventfd_signal'>, { seq }: Stamped): void {
  const polled = state.vmm.eventfds[fd];
  if (polled === undefined) return;
  const { work } = worker(state, polled.thread);
  if (!work.some((each) => each.fd === fd)) work.push({ fd, signal: seq });
}

/** sim:eventfd_consume: whoever reads an eventfd has seen its signals. */
export function workTaken(state: State, { fd }: EventOf<'sim:eventfd_consume'>): void {
  const polled = state.vmm.eventfds[fd];
  if (polled === undefined) return;
  const thread = worker(state, polled.thread);
  thread.work = thread.work.filter((each) => each.fd !== fd);
}

/** sim:tap_queued, sim:tap_poll: work for whoever looks, where there is something. */
export function frameCame(state: State, { client }: { readonly client: string }, { seq }: Stamped): void {
  if (isPolling(state, client)) addTap(worker(state, workerOfTap(state, client)!), client, seq);
  if (isReadable(state, client)) addTap(worker(state, MAIN_LOOP), client, seq);
  else frameRead(state, { client });
}

function addTap({ work }: Draft<WorkerThread>, client: string, signal: number): void {
  if (!work.some(({ tap }) => tap === client)) work.push({ tap: client, signal });
}

/** sim:tap_read. */
export function frameRead(state: State, { client }: { readonly client: string }): void {
  const thread = worker(state, MAIN_LOOP);
  if (!isReadable(state, client)) thread.work = thread.work.filter(({ tap }) => tap !== client);
}

/** The kernel's worker for a tap; undefined: it has none. */
function workerOfTap({ config }: State, client: string): Source | undefined {
  const index = config.net?.find(({ name }) => name === client)?.vhost;
  return index === undefined ? undefined : vhostSource(index);
}

/** The kernel's worker looks, and there is something. */
function isPolling({ vmm: { net } }: State, client: string): boolean {
  const { vhosts = {}, taps = {} } = net ?? {};
  if (!Object.hasOwn(vhosts, client) || !Object.hasOwn(taps, client)) return false;
  return vhosts[client]!.vrings[0].isPolling && taps[client]!.frames.length > 0;
}

/** sim:vhost_ioctl: what waits for a ring that has no backend any more is nothing; one that has it may have frames. */
export function backendSet(state: State, event: EventOf<'sim:vhost_ioctl'>, { seq }: Stamped): void {
  if (event.cmd !== 'VHOST_NET_SET_BACKEND') return;
  const { client, queue } = event;
  const thread = worker(state, workerOfTap(state, client)!);
  const { vhosts = {} } = state.vmm.net ?? {};
  const vrings = Object.hasOwn(vhosts, client) ? vhosts[client]!.vrings : [];
  const { hasBackend = false, kick = -1 } = vrings[queue] ?? {};
  if (!hasBackend) thread.work = thread.work.filter(({ fd, tap }) => fd !== kick && (queue !== 0 || tap !== client));
  else if (isPolling(state, client)) addTap(thread, client, seq);
}

/** sim:vhost_ran: it goes on with the same, with what waits, or falls asleep. */
export function vhostRan(state: State, event: EventOf<'sim:vhost_ran'>, { seq }: Stamped): void {
  const thread = worker(state, event.thread);
  thread.busyUntil = event.until;
  const [first, ...others] = thread.work;
  if (first !== undefined && event.end !== 'more') thread.work = event.end === 'weight' ? [...others, first] : others;
  if (isPolling(state, event.client)) addTap(thread, event.client, seq);
  thread.actsAt = thread.work.length > 0 ? event.until : undefined;
}

function isReadable({ vmm: { net } }: State, client: string): boolean {
  const tap = net?.taps?.[client];
  return tap?.isPolled === true && tap.frames.length > 0;
}

/** sim:thread_woken. */
export function woken(state: State, { thread, at }: EventOf<'sim:thread_woken'>): void {
  worker(state, thread).actsAt = at;
}

/** sim:thread_ran: it goes on with what waits, or falls asleep. */
export function ran(state: State, { thread: source, until }: EventOf<'sim:thread_ran'>): void {
  const thread = worker(state, source);
  thread.busyUntil = until;
  // A tap that is not empty yet lets others have their turn.
  const [first] = thread.work;
  if (first?.tap !== undefined && thread.work.length > 1) thread.work = [...thread.work.slice(1), first];
  thread.actsAt = thread.work.length > 0 ? until : undefined;
}
