/** Threads take turns: which of them acts next. */
import type { ThreadState, VcpuThread, WorkerThread } from '../reducers/state.ts';
import { chanceOf, drawnOf, type MachineContext, mainLoop, nextDeadline, now } from './context.ts';
import { measuredAt } from '../vmm/dirty/due.ts';

/** Longest run of one VM entry: 32-bit counters hold it. */
export const LONGEST_BUDGET = 1_000_000_000;

const SHORTEST_QUANTUM = 4096;
const QUANTUM_SPREAD = 28_672;

/** Ticks of a turn from a number of the stream `scheduler`. */
const quantumOf = (drawn: number): number => SHORTEST_QUANTUM + ((drawn >>> 0) % QUANTUM_SPREAD);

const TURNS = 'scheduler';

/**
 * The thread that acts next. One that is no vCPU's has a core of the host for itself: it acts when its time has come.
 * The vCPUs share one: an open VM entry goes on; a turn lasts its quantum; then the next that can run.
 */
export function pick(context: MachineContext): ThreadState | undefined {
  const { schedule, kvm } = context.state;
  const { turn, threads } = schedule;
  const count = kvm.vcpus.length;
  if (count === 0) return dueWorker(context);
  const current = threads[turn] as VcpuThread;
  if (kvm.vcpus[turn]!.inGuest) return current;
  const due = dueWorker(context);
  if (due !== undefined) return due;
  if (current.turnEnds > context.ticks && canRun(context, turn)) return current;
  for (let distance = 1; distance <= count; distance += 1) {
    const vcpu = (turn + distance) % count;
    if (canRun(context, vcpu)) return giveTurn(context, vcpu);
  }
  return undefined;
}

const canRun = ({ state, kvm }: MachineContext, vcpu: number): boolean =>
  state.vmm.sleep?.isAsleep !== true && (state.kvm.vcpus[vcpu]!.inUserspace || kvm.isRunnable(vcpu));

/**
 * Every processor halted with its interrupts off, or waits for another: nothing within the machine wakes one. Nobody
 * measures how it goes on, either.
 */
export const isHaltedForGood = ({ state, kvm }: MachineContext): boolean =>
  state.vmm.sleep === undefined &&
  measuredAt(state.vmm.dirty) === Number.POSITIVE_INFINITY &&
  state.kvm.vcpus.length > 0 &&
  state.kvm.vcpus.every(({ index, inUserspace }) => !inUserspace && !kvm.isWakeable(index));

/** No processor runs, or could: the machine waits for its next deadline, or for an input. */
export const isIdle = (context: MachineContext): boolean =>
  context.state.kvm.vcpus.every(({ index, inGuest }) => !inGuest && !canRun(context, index)) &&
  nextDeadline(context) > now(context);

/** Of the threads that are no vCPU's and whose time has come, the one whose came first; else in their order. */
export function dueWorker(context: MachineContext): WorkerThread | undefined {
  const { threads } = context.state.schedule;
  const vcpus = context.state.kvm.vcpus.length;
  let due: WorkerThread | undefined;
  for (let at = vcpus; at < threads.length; at += 1) {
    const thread = threads[at]!;
    if (thread.kind === 'vcpu' || thread.actsAt === undefined) continue;
    if (thread.actsAt < (due?.actsAt ?? Infinity)) due = thread;
  }
  return due !== undefined && (due.actsAt as number) <= now(context) ? due : undefined;
}

/** One vCPU alone has nobody to give way to. */
export const isAlone = ({ state }: MachineContext): boolean => state.kvm.vcpus.length === 1;

function giveTurn(context: MachineContext, to: number): ThreadState {
  const { turn: from, threads } = context.state.schedule;
  const draw = isAlone(context) ? 0 : drawnOf(context, TURNS) + 1;
  const quantum = draw === 0 ? LONGEST_BUDGET : quantumOf(chanceOf(context, TURNS, draw));
  mainLoop(context).raise({ kind: 'sim:thread_switch', from, to, quantum, draw, ns: now(context) });
  return threads[to]!;
}

/** Ticks that are left of the turn. */
export const restOfTurn = ({ state: { schedule }, ticks }: MachineContext): number =>
  (schedule.threads[schedule.turn] as VcpuThread).turnEnds - ticks;
