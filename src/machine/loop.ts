import { invariant } from '../base/invariant.ts';
import { MAIN_LOOP, TIMER, USER } from '../events/stamped.ts';
import { digestOf } from '../base/digest.ts';
import { adoptStates, drawInt32, type MachineContext } from './context.ts';
import { intervene } from './intervene.ts';
import type { PendingInput } from './parts.ts';
import { onVcpu } from './tell.ts';
import { type Ending, nowNs, ticksUntil } from '../reducers/state.ts';

/** How far to run. Whichever comes first; nothing given: until something else ends it. */
export interface Until {
  readonly tick?: number;
  /** Virtual nanoseconds since power-on. */
  readonly ns?: number;
  /** Stop between events once this many have been raised. */
  readonly seq?: number;
  /**
   * At the tick, go on until a vCPU is in the guest and about to execute: what happens between its last instruction and
   * its next is over, be it a VM exit, an injected event or idling.
   */
  readonly inGuest?: boolean;
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

/** Longest run of one VM entry: 32-bit counters hold it. */
const LONGEST_BUDGET = 1_000_000_000;

/** No digest is due any more. */
const NEVER = Number.MAX_SAFE_INTEGER;

const SHORTEST_QUANTUM = 4096;
const QUANTUM_SPREAD = 28_672;

/** Ticks of a turn from a number of the stream `scheduler`. */
export const quantumOf = (drawn: number): number => SHORTEST_QUANTUM + ((drawn >>> 0) % QUANTUM_SPREAD);

/** Jumps over idle time in a row after which nobody is going to wake: the timers that fire are masked. */
const IDLE_LIMIT = 20_000;

/** Run the machine until a reason to return it. */
export function advance(context: MachineContext, until: Until): Reason {
  let stuck = 0;
  let warps = 0;
  const { clock } = context.state;
  for (;;) {
    const { ticks, warpedNs } = clock;
    const reason = step(context, until);
    if (reason !== undefined) return reason;
    if (clock.ticks !== ticks) {
      stuck = 0;
      warps = 0;
    } else if (clock.warpedNs !== warpedNs) {
      stuck = 0;
      warps += 1;
      if (warps >= IDLE_LIMIT) return { why: 'idle' };
    } else {
      stuck += 1;
      invariant(stuck < STUCK_LIMIT, 'the machine gets on', { tick: ticks, seq: context.state.schedule.seq });
    }
  }
}

/** One turn of the loop: an input, or the due timers and then one VM entry, visit to user space or warp. */
function step(context: MachineContext, until: Until): Reason | undefined {
  const { schedule, clock } = context.state;
  if (schedule.ended !== undefined) {
    raiseLastDigest(context, schedule.ended);
    return { why: 'ended', ending: schedule.ended };
  }
  const input = context.parts.inputs.peek(schedule.seq);
  if (input !== undefined && isDue(context, input)) {
    deliver(context, input);
    return undefined;
  }
  const isOpen = schedule.inGuest.includes(true);
  if (!isOpen) raiseDigestWhenDue(context);
  const isThere = clock.ticks >= (until.tick ?? Infinity) && (isOpen || until.inGuest !== true);
  if (isThere || schedule.seq >= (until.seq ?? Infinity)) return { why: 'until' };
  if (nowNs(clock) >= (until.ns ?? Infinity)) return { why: 'until' };
  if (!isOpen && schedule.hasExpired === undefined) {
    expireDue(context);
    if (isStopAfterTimers(context, until)) return undefined;
  }
  schedule.hasExpired = undefined;
  const vcpu = pick(context);
  if (vcpu === undefined) return idle(context, until, input);
  context.cutAt = cutTick(context, until, input);
  runVcpu(context, vcpu, Math.min(LONGEST_BUDGET, Math.max(1, schedule.quantumLeft), untilDeadline(context)));
  if (!context.hasBroken) return undefined;
  context.hasBroken = false;
  return { why: 'break' };
}

function isDue({ state }: MachineContext, input: PendingInput): boolean {
  const { clock, schedule } = state;
  if (input.seq !== undefined) return schedule.seq === input.seq && clock.ticks === (input.tick ?? clock.ticks);
  return nowNs(clock) >= (input.ns ?? 0);
}

/** Record the input, take the guest out of its VM entry as a host interrupt would, and hand the input over. */
function deliver(context: MachineContext, { event }: PendingInput): void {
  context.parts.inputs.take();
  context.source = USER;
  context.cause = -1;
  const { schedule } = context.state;
  const seq = schedule.seq;
  context.raise(event);
  context.cutAt = Infinity;
  schedule.inGuest.forEach((isIn, vcpu) => {
    if (isIn) runVcpu(context, vcpu, 0);
  });
  context.source = MAIN_LOOP;
  context.cause = seq;
  if (event.kind === 'sim:serial_received') context.vmm.receiveSerial(event.line, event.bytes);
  else if (event.kind === 'sim:intervened') intervene(context, event.what, event.value);
  else context.vmm.requestReset('user');
}

function raiseDigestWhenDue(context: MachineContext): void {
  const { clock, schedule } = context.state;
  const every = context.parts.digestEvery ?? 0;
  if (every === 0 || clock.ticks < schedule.nextDigest) return;
  schedule.nextDigest = clock.ticks - (clock.ticks % every) + every;
  raiseDigest(context);
}

/** A run the guest ended closes with a digest, so that the shortest one has something to compare beside its events. */
function raiseLastDigest(context: MachineContext, { why }: Ending): void {
  const { schedule } = context.state;
  if ((context.parts.digestEvery ?? 0) === 0 || why === 'panicked' || schedule.nextDigest === NEVER) return;
  schedule.nextDigest = NEVER;
  raiseDigest(context);
}

/** Raise a digest of everything: what a replay compares when events alone agree. */
export function raiseDigest(context: MachineContext): void {
  adoptStates(context);
  context.source = MAIN_LOOP;
  context.cause = -1;
  context.raise({ kind: 'sim:digest', state: digestOf(context.state), memory: context.pages.digest() });
}

/** Somebody wants to stand, or change something, between what the timers did and the VM entry that tells the guest. */
function isStopAfterTimers(context: MachineContext, until: Until): boolean {
  const { schedule } = context.state;
  const input = context.parts.inputs.peek(schedule.seq);
  if (schedule.seq < (until.seq ?? Infinity) && input?.seq !== schedule.seq) return false;
  schedule.hasExpired = true;
  return true;
}

function expireDue(context: MachineContext): void {
  const now = nowNs(context.state.clock);
  if ((context.kvm.deadline() ?? Infinity) <= now) {
    context.source = TIMER;
    context.cause = -1;
    context.kvm.expire();
  }
  if ((context.vmm.deadline() ?? Infinity) <= now) {
    context.source = MAIN_LOOP;
    context.cause = -1;
    context.vmm.expire();
  }
}

/** The vCPU to run: an open VM entry goes on; a turn lasts its quantum; then the next that can run. */
function pick(context: MachineContext): number | undefined {
  const { schedule } = context.state;
  const { turn, userspace } = schedule;
  const count = userspace.length;
  if (schedule.inGuest[turn]) return turn;
  const canRun = (vcpu: number): boolean => userspace[vcpu] || context.kvm.isRunnable(vcpu);
  if (schedule.quantumLeft > 0 && canRun(turn)) return turn;
  for (let distance = 1; distance <= count; distance += 1) {
    const vcpu = (turn + distance) % count;
    if (canRun(vcpu)) return giveTurn(context, vcpu);
  }
  return undefined;
}

function giveTurn(context: MachineContext, vcpu: number): number {
  const { schedule } = context.state;
  if (vcpu !== schedule.turn) {
    context.source = MAIN_LOOP;
    context.cause = -1;
    context.raise({ kind: 'sim:thread_switch', from: `vcpu${schedule.turn}`, to: `vcpu${vcpu}` });
  }
  schedule.turn = vcpu;
  // One vCPU alone has nobody to give way to.
  const isAlone = schedule.userspace.length === 1;
  schedule.quantumLeft = isAlone
    ? LONGEST_BUDGET
    : quantumOf(drawInt32(context, 'scheduler'));
  return vcpu;
}

/** Nobody can run: jump to the next deadline or input. */
function idle(context: MachineContext, until: Until, input: PendingInput | undefined): Reason | undefined {
  const { clock } = context.state;
  // An input that is due now but waits for its sequence number cannot end an idle time.
  const inputNs =
    input?.ns === undefined || (input.seq !== undefined && input.ns <= nowNs(clock)) ? Infinity : input.ns;
  const next = Math.min(nextDeadline(context), inputNs);
  if (next === Infinity) return { why: 'idle' };
  if (next > (until.ns ?? Infinity)) return { why: 'until' };
  const from = nowNs(clock);
  clock.warpedNs += Math.max(0, next - from);
  context.source = TIMER;
  context.cause = -1;
  context.raise({ kind: 'sim:idle_warped', from, to: nowNs(clock) });
  return undefined;
}

const nextDeadline = ({ kvm, vmm }: MachineContext): number =>
  Math.min(kvm.deadline() ?? Infinity, vmm.deadline() ?? Infinity);

const untilDeadline = (context: MachineContext): number => {
  const deadline = nextDeadline(context);
  return deadline === Infinity ? Infinity : Math.max(1, ticksUntil(context.state.clock, deadline));
};

/** The tick no run may pass: the caller's, or that of the next input. Always ahead of now. */
function cutTick({ state }: MachineContext, until: Until, input: PendingInput | undefined): number {
  const { clock } = state;
  const now = clock.ticks;
  // Beyond the tick asked for, a vCPU is only let into the guest.
  let cut = Math.max(now, until.tick ?? Infinity);
  if (until.ns !== undefined) cut = Math.min(cut, now + ticksUntil(clock, until.ns));
  // A replayed input whose tick has come waits for its sequence number: the VM entry or the exit before it is still
  // to happen.
  const next = state.schedule.inGuest.includes(true) ? now + 1 : now;
  if (input?.tick !== undefined) cut = Math.min(cut, Math.max(input.tick, next));
  if (input?.ns !== undefined && input.seq === undefined) cut = Math.min(cut, now + ticksUntil(clock, input.ns));
  return cut;
}

/** One VM entry and exit, or user space until it is inside KVM_RUN again. */
function runVcpu(context: MachineContext, vcpu: number, budget: number): void {
  const { schedule } = context.state;
  onVcpu(context, vcpu);
  if (schedule.userspace[vcpu]) {
    schedule.userspace[vcpu] = false;
    context.vmm.service(vcpu);
    return;
  }
  context.endAt = context.state.clock.ticks + budget;
  const progress = context.kvm.advance(vcpu, budget);
  if (progress === 'userspace') schedule.userspace[vcpu] = true;
  else if (progress === 'yielded') schedule.quantumLeft = 0;
}
