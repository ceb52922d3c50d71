/** The LAPIC timer: SDM Vol. 3, 11.5.4. The bus clock is 1 GHz, the TSC 2 GHz. */
import type { Ns } from '../../base/units.ts';
import { armTimer, cancelTimer, fireTimer, isDue } from '../../events/timers.ts';
import { guestTsc } from '../clock/tsc.ts';
import { lapicOf, type KvmContext } from '../context.ts';
import { deliverLocal, isEnabled, isPresent, LVT_MASKED, LVT_TIMER } from './lapic.ts';
import type { LapicState, LapicTimerState } from './state.ts';
import { MSR } from '../../x86/msrs.ts';

export const ONE_SHOT = 0;
const PERIODIC = 0x20000;
export const TSC_DEADLINE = 0x40000;

/** KVM's min_timer_period_us: shorter periods are stretched. */
const MIN_PERIOD_NS = 200_000;

const TIMER_PREFIX = 'kvm-lapic';

/** A vCPU's LAPIC timer among the kernel's timers. */
export const lapicTimer = (vcpu: number): string => NAMES[vcpu] ?? `${TIMER_PREFIX}${vcpu}`;

const NAMES: readonly string[] = Array.from({ length: 16 }, (_, vcpu) => `${TIMER_PREFIX}${vcpu}`);

/** Whose LAPIC timer this is; undefined: it is another one. */
export const vcpuOfTimer = (id: string): number | undefined =>
  id.startsWith(TIMER_PREFIX) ? Number(id.slice(TIMER_PREFIX.length)) : undefined;

const isDeadlineMode = (l: LapicState): boolean => l.timer.mode === TSC_DEADLINE;
export const isCounting = ({ mode }: LapicTimerState): boolean => mode === ONE_SHOT || mode === PERIODIC;

/** LVT timer bits that select the mode; bit 18 only where CPUID announces TSC-deadline. */
export const timerModeMask = (l: LapicState): number => (l.features.tscDeadline ? 0x60000 : PERIODIC);

/** A period in this mode, as short as it may be. */
export const limitedPeriod = (mode: number, period: number): number =>
  mode === PERIODIC && period !== 0 ? Math.max(period, MIN_PERIOD_NS) : period;

/** Divide configuration: bits 3, 1:0. SDM Vol. 3, Figure 11-10. */
export function divisorOf(divideConfig: number): number {
  const bits = (divideConfig & 3) | ((divideConfig & 8) >> 1);
  return 1 << ((bits + 1) & 7);
}

/** Deliver an expired timer as soon as APIC and LVT entry let it pass. */
export function deliverExpiredTimer(kvm: KvmContext, vcpu: number): void {
  const l = lapicOf(kvm, vcpu);
  if (!l.timer.pending || !isEnabled(l) || (l.lvt[LVT_TIMER]! & LVT_MASKED) !== 0) return;
  const expired = kvm.after(l.timer.cause);
  deliverLocal(expired, l, LVT_TIMER);
  expired.raise({ kind: 'sim:lapic_timer_delivered', vcpu_id: vcpu });
}

/** The timer's deadline has come. Returns the KVM that acts because of it. */
function expire(kvm: KvmContext, vcpu: number): KvmContext {
  const was = lapicOf(kvm, vcpu).timer.pending;
  const fired = kvm.from(fireTimer(kvm.state.timers, kvm.origin, lapicTimer(vcpu)));
  if (!was) deliverExpiredTimer(fired, vcpu);
  return fired;
}

export function stopTimer(kvm: KvmContext, vcpu: number): void {
  cancelTimer(kvm.state.timers, kvm.origin, lapicTimer(vcpu));
}

/** Count down the deadline a guest wrote; one that has passed expires at once. */
function startDeadline(kvm: KvmContext, vcpu: number): void {
  const { tscDeadline } = lapicOf(kvm, vcpu).timer;
  if (tscDeadline === 0n) {
    stopTimer(kvm, vcpu);
    return;
  }
  const left = tscDeadline - guestTsc(kvm, kvm.state.vcpus[vcpu]!);
  const ns = left <= 0n ? 0 : Number((left + 1n) >> 1n);
  armTimer(kvm.origin, lapicTimer(vcpu), Math.min(kvm.now() + ns, Number.MAX_SAFE_INTEGER));
  if (left <= 0n) expire(kvm, vcpu);
}

/** Nanoseconds to run from a restored current count. */
function restoredSpan(l: LapicState, currentCount: number): number {
  const { period, divide, mode } = l.timer;
  const span = currentCount * divide;
  if (span === 0) return mode === PERIODIC ? period : 0;
  return Math.min(span, period);
}

/** Start counting from the initial count, or from a restored current count, once both are told. */
export function startTimer(kvm: KvmContext, vcpu: number, currentCount?: number): void {
  const l = lapicOf(kvm, vcpu);
  if (isDeadlineMode(l)) startDeadline(kvm, vcpu);
  else if (isCounting(l.timer) && l.timer.period !== 0) {
    const span = currentCount === undefined ? l.timer.period : restoredSpan(l, currentCount);
    armTimer(kvm.origin, lapicTimer(vcpu), kvm.now() + span);
  } else stopTimer(kvm, vcpu);
}

/** The initial-count register was written: in TSC-deadline mode that changes nothing. */
export function restartCount(kvm: KvmContext, vcpu: number): void {
  if (!isDeadlineMode(lapicOf(kvm, vcpu))) startTimer(kvm, vcpu);
}

/** The current-count register: derived from the time that is left. */
export function currentCount(l: LapicState, now: Ns): number {
  const t = l.timer;
  if (isDeadlineMode(l) || l.initialCount === 0 || t.period === 0) return 0;
  return Math.floor((Math.max(0, t.target - now) % t.period) / t.divide);
}

/** The divide-configuration register was written: a running count goes on at the new pace. */
export function rescaleTimer(kvm: KvmContext, vcpu: number, before: { divide: number; target: number }): void {
  const { mode, period, divide, pending } = lapicOf(kvm, vcpu).timer;
  if (divide === before.divide || period === 0) return;
  const now = kvm.now();
  const left = Math.floor((Math.max(0, before.target - now) * divide) / before.divide);
  if (mode !== PERIODIC && pending) stopTimer(kvm, vcpu);
  else armTimer(kvm.origin, lapicTimer(vcpu), now + left);
}

/** IA32_TSC_DEADLINE (6E0h): zero outside TSC-deadline mode and when disarmed. */
export function tscDeadlineRead(l: LapicState): bigint {
  return isPresent(l) && isDeadlineMode(l) ? l.timer.tscDeadline : 0n;
}

/** Arm or (0) disarm the TSC-deadline timer; ignored in the other modes. */
export function tscDeadlineWrite(kvm: KvmContext, vcpu: number, value: bigint): void {
  const l = lapicOf(kvm, vcpu);
  if (!isPresent(l) || !isDeadlineMode(l)) return;
  kvm.raise({ kind: 'sim:msr_set', vcpu_id: vcpu, index: MSR.TSC_DEADLINE, data: value });
  startDeadline(kvm, vcpu);
}

/** Expire the timer if it is due; a periodic one runs on. False: it is not. */
export function expireLapicTimer(kvm: KvmContext, vcpu: number): boolean {
  const now = kvm.now();
  if (!isDue(kvm.state.timers, lapicTimer(vcpu), now)) return false;
  const fired = expire(kvm, vcpu);
  const { mode, period, target } = lapicOf(kvm, vcpu).timer;
  if (mode === PERIODIC && period !== 0) {
    armTimer(fired.origin, lapicTimer(vcpu), Math.max(target + period, now + 1));
  }
  return true;
}
