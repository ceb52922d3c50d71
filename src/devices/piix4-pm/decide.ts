import type { Ns } from '../../base/units.ts';
import type { Effects } from '../device.ts';
import {
  APM,
  CONFIG,
  CONTROL,
  OVERFLOW_PERIOD,
  PM1,
  PM1_INTERRUPTING,
  PM_TIMER_FREQUENCY,
  REGION,
  SLEEP_TYPE,
} from './registers.ts';
import type { Piix4PmState } from './state.ts';

const NANOSECONDS = 1_000_000_000;

/** The PM timer reaches the count that sets TMR_STS, while somebody wants to know. */
export const OVERFLOW = 'overflow';

/** Read one of the function's I/O registers. */
export function readPm(pm: Piix4PmState, region: number, offset: number, effects: Effects): number {
  switch (region) {
    case REGION.event:
      if (offset === 0) return eventStatus(pm, effects);
      return offset === 2 ? pm.enable : 0;
    case REGION.control:
      return pm.control;
    case REGION.timer:
      return timerCount(effects.now) % 0x100_0000;
    case REGION.gpe:
      return pm.gpe[offset]!;
    case REGION.apm:
      return offset === 0 ? pm.apmControl : pm.apmStatus;
    default:
      return pm.smbus[offset] ?? 0;
  }
}

/** Write one of the function's I/O registers. */
export function writePm(pm: Piix4PmState, region: number, offset: number, value: number, effects: Effects): void {
  switch (region) {
    case REGION.event:
      if (offset === 0) clearEvents(pm, value, effects);
      else effects.commit();
      updateSci(pm, effects);
      break;
    case REGION.control:
      writeControl(value, effects);
      break;
    case REGION.gpe:
      effects.commit();
      updateSci(pm, effects);
      break;
    case REGION.apm:
      effects.commit();
      if (offset === 0) requestSmi(pm, value, effects);
      break;
    default:
      effects.commit();
  }
}

/** TMR_STS comes, for which a machine may wake up. */
export function expireOverflow(pm: Piix4PmState, effects: Effects): void {
  updateSci(pm, effects);
  effects.requestWakeup('pm-timer');
}

/** The power button was pressed: the SCI, if the guest wants to know. */
export function answerPowerButton(pm: Piix4PmState, effects: Effects): void {
  if (pm.enable & PM1.powerButton) updateSci(pm, effects);
}

/** System reset. */
export function resetPm(pm: Piix4PmState, effects: Effects): void {
  effects.commit();
  updateSci(pm, effects);
}

/** The PM timer's count, unlimited by its 24 bits. */
function timerCount(now: Ns): number {
  const seconds = Math.floor(now / NANOSECONDS);
  const rest = now - seconds * NANOSECONDS;
  return seconds * PM_TIMER_FREQUENCY + Math.floor((rest * PM_TIMER_FREQUENCY) / NANOSECONDS);
}

/** First nanosecond at which the timer shows `count`. */
function timeOfCount(count: number): number {
  const seconds = Math.floor(count / PM_TIMER_FREQUENCY);
  const rest = count - seconds * PM_TIMER_FREQUENCY;
  return seconds * NANOSECONDS + Math.ceil((rest * NANOSECONDS) / PM_TIMER_FREQUENCY);
}

const isTimerStatus = (pm: Piix4PmState): boolean => (pm.status & PM1.timer) !== 0;
const hasOverflowed = (pm: Piix4PmState, now: Ns): boolean => timerCount(now) >= pm.overflowCount;

/** TMR_STS has no moment of its own unless it interrupts: it is set when somebody looks. */
function eventStatus(pm: Piix4PmState, effects: Effects): number {
  if (!isTimerStatus(pm) && hasOverflowed(pm, effects.now)) effects.raise({ kind: 'sim:pm_timer_status' });
  return pm.status;
}

/** Clearing TMR_STS, seen or not, waits for the next overflow. */
function clearEvents(pm: Piix4PmState, value: number, effects: Effects): void {
  const isSet = isTimerStatus(pm) || hasOverflowed(pm, effects.now);
  effects.commit();
  if (!isSet || (value & PM1.timer) === 0) return;
  const count = (Math.floor(timerCount(effects.now) / OVERFLOW_PERIOD) + 1) * OVERFLOW_PERIOD;
  effects.raise({ kind: 'sim:pm_overflow', count });
}

/** The SCI's level and, while TMR_STS can still raise it, the timer's deadline. */
function updateSci(pm: Piix4PmState, effects: Effects): void {
  const status = eventStatus(pm, effects);
  const general = (pm.gpe[0]! & pm.gpe[2]!) !== 0;
  effects.pin('sci', general || (status & pm.enable & PM1_INTERRUPTING) !== 0);
  if ((pm.enable & PM1.timer) === 0 || (status & PM1.timer) !== 0) {
    effects.cancel(OVERFLOW);
    return;
  }
  const due = timeOfCount(pm.overflowCount);
  if (effects.deadline(OVERFLOW) !== due) effects.arm(OVERFLOW, due);
}

function writeControl(value: number, effects: Effects): void {
  effects.commit();
  if ((value & CONTROL.sleepEnable) === 0) return;
  const type = (value >> 10) & 7;
  if (type === SLEEP_TYPE.s3) effects.requestSuspend();
  if (type === SLEEP_TYPE.s5 || type === SLEEP_TYPE.s4) effects.raise({ kind: 'sim:powered_off' });
}

/** A write to port 0xb2 is an SMI to the firmware; QEMU serves the two that switch ACPI mode itself. */
function requestSmi(pm: Piix4PmState, value: number, effects: Effects): void {
  if (value === APM.acpiEnable || value === APM.acpiDisable) return;
  if (!pm.smm || (pm.config[CONFIG.apmEnable]! & 0x02) === 0) return;
  effects.pin('smi', true);
  effects.pin('smi', false);
}
