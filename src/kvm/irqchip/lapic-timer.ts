/** The LAPIC timer: SDM Vol. 3, 11.5.4. The bus clock is 1 GHz, the TSC 2 GHz. */
import type { IrqEffects } from './effects.ts';
import { deliverLocal, isEnabled, isPresent, LVT_MASKED, LVT_TIMER } from './lapic.ts';
import type { IrqchipState, LapicState } from './state.ts';

const ONE_SHOT = 0;
const PERIODIC = 0x20000;
const TSC_DEADLINE = 0x40000;

/** KVM's min_timer_period_us: shorter periods are stretched. */
const MIN_PERIOD_NS = 200_000;

const isDeadlineMode = (l: LapicState): boolean => l.timer.mode === TSC_DEADLINE;

/** LVT timer bits that select the mode; bit 18 only where CPUID announces TSC-deadline. */
export const timerModeMask = (l: LapicState): number => (l.features.tscDeadline ? 0x60000 : PERIODIC);

/** Deliver an expired timer as soon as APIC and LVT entry let it pass. */
export function deliverExpiredTimer(l: LapicState, fx: IrqEffects): void {
  const t = l.timer;
  if (!t.pending || !isEnabled(l) || (l.lvt[LVT_TIMER] & LVT_MASKED) !== 0) return;
  deliverLocal(l, LVT_TIMER, fx);
  t.pending = false;
  if (t.mode === TSC_DEADLINE) t.tscDeadline = 0n;
  else if (t.mode === ONE_SHOT) t.target = 0;
}

function expired(l: LapicState, fx: IrqEffects): void {
  if (l.timer.pending) return;
  l.timer.pending = true;
  deliverExpiredTimer(l, fx);
}

function cancel(l: LapicState): void {
  l.timer.expiresAt = undefined;
  l.timer.pending = false;
}

function limitPeriod(l: LapicState): void {
  const t = l.timer;
  if (t.mode === PERIODIC && t.period !== 0 && t.period < MIN_PERIOD_NS) t.period = MIN_PERIOD_NS;
}

/** The LVT timer entry changed: only a move to or from TSC-deadline mode stops the timer. */
export function updateTimerMode(l: LapicState): void {
  const t = l.timer;
  const mode = l.lvt[LVT_TIMER] & timerModeMask(l);
  if (t.mode === mode) return;
  if ((t.mode === TSC_DEADLINE) !== (mode === TSC_DEADLINE)) {
    cancel(l);
    l.initialCount = 0;
    t.period = 0;
    t.tscDeadline = 0n;
  }
  t.mode = mode;
  limitPeriod(l);
}

function startCount(l: LapicState, fx: IrqEffects): void {
  const t = l.timer;
  if (t.period === 0) return;
  const now = fx.now();
  if (now > t.target) {
    expired(l, fx);
    if (t.mode === ONE_SHOT) return;
    t.target = Math.max(t.target + t.period, now);
  }
  t.expiresAt = t.target;
}

function startDeadline(l: LapicState, fx: IrqEffects): void {
  const t = l.timer;
  if (t.tscDeadline === 0n) return;
  const left = t.tscDeadline - fx.guestTsc(l.vcpu);
  if (left <= 0n) {
    expired(l, fx);
    return;
  }
  const ns = Number((left + 1n) >> 1n);
  t.expiresAt = Math.min(fx.now() + ns, Number.MAX_SAFE_INTEGER);
}

function restart(l: LapicState, fx: IrqEffects): void {
  const { mode, pending } = l.timer;
  if (mode !== PERIODIC && pending) return;
  if (mode === TSC_DEADLINE) startDeadline(l, fx);
  else if (mode === ONE_SHOT || mode === PERIODIC) startCount(l, fx);
}

/** Nanoseconds to run from a restored current count. */
function restoredSpan(l: LapicState, currentCount: number): number {
  const { period, divide, mode } = l.timer;
  const span = currentCount * divide;
  if (span === 0) return mode === PERIODIC ? period : 0;
  return Math.min(span, period);
}

/** Start counting from the initial count, or from a restored current count. */
export function startTimer(l: LapicState, fx: IrqEffects, currentCount?: number): void {
  const t = l.timer;
  t.pending = false;
  if (t.mode === ONE_SHOT || t.mode === PERIODIC) {
    t.period = l.initialCount * t.divide;
    if (t.period === 0) return;
    limitPeriod(l);
    t.target = fx.now() + (currentCount === undefined ? t.period : restoredSpan(l, currentCount));
  }
  restart(l, fx);
}

/** A write to the initial-count register. */
export function writeInitialCount(l: LapicState, value: number, fx: IrqEffects): void {
  if (isDeadlineMode(l)) return;
  cancel(l);
  l.initialCount = value;
  startTimer(l, fx);
}

/** The current-count register: derived from the time that is left. */
export function currentCount(l: LapicState, now: number): number {
  const t = l.timer;
  if (isDeadlineMode(l) || l.initialCount === 0 || t.period === 0) return 0;
  return Math.floor((Math.max(0, t.target - now) % t.period) / t.divide);
}

/** Divide configuration: bits 3, 1:0. SDM Vol. 3, Figure 11-10. */
export function updateDivide(l: LapicState): void {
  const bits = (l.divideConfig & 3) | ((l.divideConfig & 8) >> 1);
  l.timer.divide = 1 << ((bits + 1) & 7);
}

/** A write to the divide-configuration register: a running count goes on at the new pace. */
export function writeDivide(l: LapicState, value: number, fx: IrqEffects): void {
  const t = l.timer;
  const before = t.divide;
  l.divideConfig = value & 0xb;
  updateDivide(l);
  if (t.divide === before || t.period === 0) return;
  t.expiresAt = undefined;
  t.period = l.initialCount * t.divide;
  limitPeriod(l);
  const now = fx.now();
  t.target = now + Math.floor((Math.max(0, t.target - now) * t.divide) / before);
  restart(l, fx);
}

/** IA32_TSC_DEADLINE (6E0h): zero outside TSC-deadline mode and when disarmed. */
export function tscDeadlineRead(chip: IrqchipState, vcpu: number): bigint {
  const l = chip.lapics[vcpu];
  return isPresent(l) && isDeadlineMode(l) ? l.timer.tscDeadline : 0n;
}

/** Arm or (0) disarm the TSC-deadline timer; ignored in the other modes. */
export function tscDeadlineWrite(chip: IrqchipState, vcpu: number, value: bigint, fx: IrqEffects): void {
  const l = chip.lapics[vcpu];
  if (!isPresent(l) || !isDeadlineMode(l)) return;
  l.timer.expiresAt = undefined;
  l.timer.tscDeadline = value;
  startTimer(l, fx);
}

/** Expire the timer if it is due; a periodic one runs on. */
export function expireLapicTimer(l: LapicState, fx: IrqEffects): void {
  const t = l.timer;
  const now = fx.now();
  if (t.expiresAt === undefined || t.expiresAt > now) return;
  t.expiresAt = undefined;
  expired(l, fx);
  if (t.mode !== PERIODIC || t.period === 0) return;
  t.target = Math.max(t.target + t.period, now);
  t.expiresAt = t.target;
}

/** The state was set from outside: forget what ran, run on from `currentCount`. */
export function restoreTimer(l: LapicState, fx: IrqEffects, count: number): void {
  cancel(l);
  updateTimerMode(l);
  updateDivide(l);
  startTimer(l, fx, count);
}
