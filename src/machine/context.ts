import type { Draft } from '../base/draft.ts';
import type { Ns, Tick } from '../base/units.ts';
import { Origin, type Tell } from '../events/origin.ts';
import { earliestDeadline } from '../events/timers.ts';
import { MAIN_LOOP, type Source, TIMER, vcpuSource } from '../events/stamped.ts';
import type { KvmKernel } from '../kvm/api.ts';
import type { Pages } from '../memory/pages.ts';
import { measuredAt } from '../vmm/dirty/due.ts';
import { earliestCompletion } from '../vmm/drives/due.ts';
import { earliestOnWires } from '../vmm/net/due.ts';
import { restore } from '../reducers/evolve.ts';
import type { SliceDigests } from '../reducers/slices.ts';
import { type MachineState, nowNs, type ThreadState, ticksUntil } from '../reducers/state.ts';
import type { Vmm } from '../vmm/vmm.ts';
import type { Engine, MachineParts } from './parts.ts';
import type { MachineProcessor, Surroundings } from './processor.ts';

/** Around the state: what is handed in, what is derived from it, and how far the run under way may go. */
export interface MachineContext extends Surroundings {
  readonly parts: MachineParts;
  readonly engine: Engine;
  readonly processor: MachineProcessor;
  readonly kvm: KvmKernel;
  readonly vmm: Vmm;
  readonly pages: Pages;
  readonly digests: SliceDigests;
  /** Derived: the earliest deadline of the kernel's timers, or UNKNOWN. */
  kernelDeadline: Ns;
  /** Derived from what user space's threads wait for: timers, drives, packets, work; or UNKNOWN. */
  userDeadline: Ns;
  cutAt: number;
  readonly tell: Tell;
}

/** The state, for `evolve`. */
export const draftOf = (context: MachineContext): Draft<MachineState> => context.state as Draft<MachineState>;

/** Sequence number of the next event. */
export const nextSeq = ({ state }: MachineContext): number => state.at.seq + 1;

/** Events between two digests of the state's slices, unless the machine's parts say otherwise. */
const EVENTS_PER_DIGEST = 2000;

/** Whether the next event is a digest, told before the fact that is raised next. */
export function isDigestNext(context: MachineContext): boolean {
  const { eventsPerDigest = EVENTS_PER_DIGEST } = context.parts;
  return nextSeq(context) % eventsPerDigest === 0 && nextSeq(context) > 0;
}

/** Sequence number of the fact that is raised next. */
export const nextFactSeq = (context: MachineContext): number => nextSeq(context) + (isDigestNext(context) ? 1 : 0);

/** Virtual nanoseconds since power-on. */
export const now = ({ state, ticks }: MachineContext): Ns => nowNs(state, ticks);

/** Ticks from now until virtual time reaches `deadline`; 0 when it has. */
export const ticksTo = ({ state, ticks }: MachineContext, deadline: Ns): number => ticksUntil(state, ticks, deadline);

/** The earliest deadline of the kernel's timers, which interrupt a guest; Infinity: there is none. */
export function kernelDeadline(context: MachineContext): Ns {
  if (context.kernelDeadline === UNKNOWN) context.kernelDeadline = earliestDeadline(context.state.kvm.timers);
  return context.kernelDeadline;
}

/** The earliest of user space's: devices' timers, drives, packets, announcements, threads. These act beside a guest. */
export function userDeadline(context: MachineContext): Ns {
  if (context.userDeadline === UNKNOWN) {
    const { vmm, schedule } = context.state;
    context.userDeadline = Math.min(
      earliestDeadline(vmm.timers),
      earliestCompletion(vmm.drives),
      earliestOnWires(vmm.net),
      measuredAt(vmm.dirty),
      earliestToAct(schedule.threads),
    );
  }
  return context.userDeadline;
}

/** The earliest of all. */
export const nextDeadline = (context: MachineContext): Ns => Math.min(kernelDeadline(context), userDeadline(context));

/** Deadlines may have changed. */
function forgetDeadlines(context: MachineContext): void {
  context.kernelDeadline = UNKNOWN;
  context.userDeadline = UNKNOWN;
}

function earliestToAct(threads: readonly ThreadState[]): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const thread of threads) {
    if (thread.kind !== 'vcpu' && thread.actsAt !== undefined) earliest = Math.min(earliest, thread.actsAt);
  }
  return earliest;
}

/** No deadline: it is to be looked for among the timers. */
export const UNKNOWN = -1;

/** What happens by itself, on a thread of the host. */
export const originOf = (context: MachineContext, source: Source): Origin => new Origin(context.tell, source);

export const mainLoop = (context: MachineContext): Origin => originOf(context, MAIN_LOOP);

export const timerOrigin = (context: MachineContext): Origin => originOf(context, TIMER);

/** A vCPU's thread: what it does follows from the vCPU's last exit. */
export const vcpuOrigin = (context: MachineContext, vcpu: number): Origin =>
  new Origin(context.tell, vcpuSource(vcpu), context.state.kvm.vcpus[vcpu]!.exit.seq);

/** A vCPU is in the guest: a run was cut, or a debugger stopped it. */
export function isEntryOpen({ state }: MachineContext): boolean {
  for (const vcpu of state.kvm.vcpus) if (vcpu.inGuest) return true;
  return false;
}

/** Number `n` (from 1) of a named stream of chance. */
export const chanceOf = ({ parts, state }: MachineContext, name: string, n: number): number =>
  parts.chance.int32(state.chance.seed, name, n);

/** How many numbers of a stream have been drawn. */
export const drawnOf = ({ state }: MachineContext, name: string): number => state.chance.draws[name] ?? 0;

/** Another state is put in, as it was after so many ticks; what follows from it is looked at anew. */
export function restored(context: MachineContext, earlier: MachineState, ticks: Tick): void {
  restore(draftOf(context), earlier);
  context.ticks = ticks;
  context.digests.forget();
  refreshDerived(context);
}

/** What the state was not told of by facts, but follows from it. */
export function refreshDerived(context: MachineContext): void {
  const { processor, kvm, vmm } = context;
  forgetDeadlines(context);
  processor.restored();
  kvm.restored();
  vmm.restored();
}
