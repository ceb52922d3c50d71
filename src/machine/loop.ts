import { invariant } from '../base/invariant.ts';
import type { Ns, Seq, Tick } from '../base/units.ts';
import { MAIN_LOOP, USER } from '../events/stamped.ts';
import { measuredAt } from '../vmm/dirty/due.ts';
import type { Ending } from '../reducers/state.ts';
import {
  isEntryOpen,
  kernelDeadline,
  type MachineContext,
  mainLoop,
  nextDeadline,
  nextFactSeq,
  nextSeq,
  now,
  originOf,
  ticksTo,
  timerOrigin,
  userDeadline,
  vcpuOrigin,
} from './context.ts';
import { checkInput, receiverOf } from './inputs.ts';
import type { PendingInput } from './parts.ts';
import { dueWorker, isAlone, LONGEST_BUDGET, pick, restOfTurn } from './schedule.ts';
import { runWorker } from './workers.ts';

/** How far to run. Whichever comes first; nothing given: until something else ends it. */
export interface Until {
  readonly tick?: Tick;
  /** Virtual nanoseconds since power-on. */
  readonly ns?: Ns;
  /** Stop between events once this many have been raised. */
  readonly seq?: Seq;
  /**
   * At the tick, go on until a vCPU is in the guest and about to execute: what happens between its last instruction and
   * its next is over, be it a VM exit, an injected event or idling.
   */
  readonly inGuest?: boolean;
  /** At the tick, go on until it is this vCPU's turn. */
  readonly turn?: number;
  /** Stop after the step under way once somebody holds it. */
  readonly gate?: { readonly isHeld: boolean };
}

/** Why `advance` returned. */
export type Reason =
  | { readonly why: 'until' }
  /** Every vCPU is halted and no timer is armed, or none that wakes one: only an input can go on. */
  | { readonly why: 'idle' }
  | { readonly why: 'break' }
  | { readonly why: 'ended'; readonly ending: Ending };

/** Steps in a row without a tick, a warp or an input, after which something is wrong. */
const STUCK_LIMIT = 200_000;

/** No digest of memory is due any more. */
const NEVER = Number.MAX_SAFE_INTEGER;

/**
 * Jumps over idle time in a row that nothing but timers came of, after which nobody is going to wake: the timers that
 * fire are masked.
 */
export const IDLE_LIMIT = 20_000;

/** What a step of the loop was. */
type Step = 'input' | 'digest' | 'timers' | 'worker' | 'vcpu' | 'warp';

/** Run the machine until a reason to return it. */
export function advance(context: MachineContext, until: Until): Reason {
  let stuck = 0;
  let warps = 0;
  for (;;) {
    const { ticks } = context;
    const { warpedNs } = context.state.clock;
    const did = step(context, until);
    if (typeof did === 'object') return did;
    if (did === 'warp') warps += 1;
    else if (did === 'input' || did === 'worker' || context.ticks !== ticks) warps = 0;
    if (warps >= IDLE_LIMIT && isEndless(context, until)) return { why: 'idle' };
    stuck = did === 'input' || context.ticks !== ticks || context.state.clock.warpedNs !== warpedNs ? 0 : stuck + 1;
    invariant(stuck < STUCK_LIMIT, 'the machine gets on', { tick: ticks, seq: nextSeq(context) });
  }
}

/** Nothing that is known ends an idle time: neither what the caller asked for nor an input that waits. */
const isEndless = (context: MachineContext, { ns, seq }: Until): boolean =>
  ns === undefined &&
  seq === undefined &&
  !context.vmm.awaitsAlarm &&
  measuredAt(context.state.vmm.dirty) === Number.POSITIVE_INFINITY &&
  context.parts.inputs.peek(nextSeq(context)) === undefined;

/** One turn of the loop: an input, the due timers, or what one thread does, or a warp. */
function step(context: MachineContext, until: Until): Reason | Step {
  const { ended } = context.state.schedule;
  if (ended !== undefined) {
    tellLastDigest(context);
    return { why: 'ended', ending: ended };
  }
  const input = context.parts.inputs.peek(nextSeq(context));
  if (input !== undefined && isDue(context, input)) {
    deliver(context, input);
    return 'input';
  }
  const isOpen = isEntryOpen(context);
  // An input may have been recorded just after it.
  if (!isOpen && tellDigestWhenDue(context)) return 'digest';
  if (isOver(context, until)) return { why: 'until' };
  if (isOpen && actsBesideGuest(context)) return 'worker';
  if (isAtTick(context, until, isOpen)) return { why: 'until' };
  // Neither processors nor timers nor drives go on, and no time passes.
  if (context.state.vmm.stopped !== undefined && !isOpen) return { why: 'idle' };
  if (!isOpen && expireDue(context)) return 'timers';
  const thread = pick(context);
  if (thread === undefined) return idle(context, until, input);
  if (thread.kind !== 'vcpu') {
    runWorker(context, thread);
    return 'worker';
  }
  context.cutAt = cutTick(context, until, input, isOpen);
  runVcpu(context, context.state.schedule.turn);
  if (!context.hasBroken) return 'vcpu';
  context.hasBroken = false;
  return { why: 'break' };
}

function isOver(context: MachineContext, until: Until): boolean {
  if (until.gate?.isHeld === true) return true;
  return nextSeq(context) >= (until.seq ?? Infinity) || now(context) >= (until.ns ?? Infinity);
}

const isAtTick = (context: MachineContext, until: Until, isOpen: boolean): boolean =>
  context.ticks >= tickAsked(context, until) && (isOpen || until.inGuest !== true);

/**
 * A vCPU is in the guest, and other threads' time has come: they have cores of their own, so it stays there unless
 * they interrupt it. False: nobody acted.
 */
function actsBesideGuest(context: MachineContext): boolean {
  if (userDeadline(context) > now(context)) return false;
  if (!context.vmm.expire(mainLoop(context))) {
    const worker = dueWorker(context);
    if (worker === undefined) return false;
    runWorker(context, worker);
  }
  const isStopped = context.state.vmm.stopped !== undefined;
  for (const { index, requests } of context.state.kvm.vcpus)
    if (requests !== 0 || isStopped) leaveGuest(context, index);
  return true;
}

/** Take a vCPU out of its VM entry, as an interrupt of its host does. */
function leaveGuest(context: MachineContext, vcpu: number): void {
  if (!context.state.kvm.vcpus[vcpu]!.inGuest) return;
  context.cutAt = Infinity;
  context.kvm.advance(vcpu, 0, vcpuOrigin(context, vcpu));
}

/** The tick the caller asked for; none while it is another vCPU's turn than it waits for. */
const tickAsked = ({ state }: MachineContext, { tick, turn }: Until): Tick =>
  tick === undefined || (turn !== undefined && state.schedule.turn !== turn) ? Infinity : tick;

function isDue(context: MachineContext, input: PendingInput): boolean {
  if (input.seq !== undefined) {
    return nextFactSeq(context) === input.seq && context.ticks === (input.tick ?? context.ticks);
  }
  return now(context) >= (input.ns ?? 0) && context.ticks >= (input.tick ?? 0);
}

/** Record the input, take the guest out of its VM entry as a host interrupt would, and hand the input over. */
function deliver(context: MachineContext, { event }: PendingInput): void {
  context.parts.inputs.take();
  checkInput(context, event);
  const seq = originOf(context, USER).raise(event);
  const receive = receiverOf(event);
  if (receive === undefined) return;
  for (const { index } of context.state.kvm.vcpus) leaveGuest(context, index);
  receive(context, event, originOf(context, MAIN_LOOP).inside(seq));
}

/** False: none was due. */
function tellDigestWhenDue(context: MachineContext): boolean {
  const { state, ticks, pages } = context;
  if (state.config.digestEvery === 0 || ticks < state.schedule.nextDigest) return false;
  mainLoop(context).raise({ kind: 'sim:memory_digest', memory: pages.digest() });
  return true;
}

/** A run that is over closes with digests of everything, so that the shortest one has something to compare. */
function tellLastDigest(context: MachineContext): void {
  const { state, pages, digests } = context;
  if (state.config.digestEvery === 0 || state.schedule.nextDigest === NEVER) return;
  mainLoop(context).raise({ kind: 'sim:memory_digest', memory: pages.digest() });
  mainLoop(context).raise({ kind: 'sim:digest', slices: digests.take(state) });
}

/** Timers whose time has come, the kernel's first. False: there was none. */
function expireDue(context: MachineContext): boolean {
  if (nextDeadline(context) > now(context)) return false;
  const kernels = context.kvm.expire(timerOrigin(context));
  return context.vmm.expire(mainLoop(context)) || kernels;
}

/** Nobody can run: jump to the next deadline or input. */
function idle(context: MachineContext, until: Until, input: PendingInput | undefined): Reason | 'warp' {
  const from = now(context);
  // An input that is due now but waits for its sequence number cannot end an idle time.
  const isHeld = input?.ns === undefined || (input.seq !== undefined && input.ns <= from);
  const to = Math.min(nextDeadline(context), isHeld ? Infinity : input.ns);
  if (to === Infinity) return { why: 'idle' };
  if (to > (until.ns ?? Infinity)) return { why: 'until' };
  timerOrigin(context).raise({ kind: 'sim:idle_warped', from, to: Math.max(from, to) });
  return 'warp';
}

/** The tick no run may pass: the caller's, that of the next input, that of the next to act beside it. Ahead of now. */
function cutTick(context: MachineContext, until: Until, input: PendingInput | undefined, isOpen: boolean): number {
  const { ticks } = context;
  // Beyond the tick asked for, a vCPU is only let into the guest.
  let cut = Math.max(ticks, tickAsked(context, until));
  if (until.ns !== undefined) cut = Math.min(cut, ticks + ticksTo(context, until.ns));
  const beside = userDeadline(context);
  if (beside !== Infinity) cut = Math.min(cut, ticks + Math.max(1, ticksTo(context, beside)));
  // A replayed input whose tick has come waits for its sequence number: the VM entry or the exit before it is still
  // to happen.
  if (input?.tick !== undefined) cut = Math.min(cut, Math.max(input.tick, isOpen ? ticks + 1 : ticks));
  if (input?.ns !== undefined && input.seq === undefined) cut = Math.min(cut, ticks + ticksTo(context, input.ns));
  return cut;
}

/** One VM entry and exit, or user space until it is inside KVM_RUN again. */
function runVcpu(context: MachineContext, vcpu: number): void {
  const origin = vcpuOrigin(context, vcpu);
  if (context.state.kvm.vcpus[vcpu]!.inUserspace) context.vmm.service(vcpu, origin);
  else if (context.kvm.advance(vcpu, budgetOf(context), origin) === 'yielded' && !isAlone(context)) {
    vcpuOrigin(context, vcpu).raise({ kind: 'sim:turn_yielded', vcpu_id: vcpu });
  }
}

/** Ticks until the turn is over or one of the kernel's timers is due: at least one. */
function budgetOf(context: MachineContext): number {
  const deadline = kernelDeadline(context);
  const untilDeadline = deadline === Infinity ? LONGEST_BUDGET : ticksTo(context, deadline);
  return Math.max(1, Math.min(LONGEST_BUDGET, restOfTurn(context), untilDeadline));
}
