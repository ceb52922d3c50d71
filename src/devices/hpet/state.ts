import { CONFIGURATION, TIMERS, TN } from './registers.ts';

/** One comparator. */
export interface HpetTimer {
  readonly configuration: number;
  readonly comparator: bigint;
  readonly period: bigint;
  readonly fsbRoute: bigint;
}

/** Event timer block. */
export interface HpetState {
  readonly configuration: number;
  readonly status: number;
  /** Main counter at `since`. */
  readonly counter: bigint;
  /** Virtual nanosecond from which the counter has run, while enabled. */
  readonly since: number;
  readonly timers: readonly HpetTimer[];
  /** What the RTC drives, for when legacy replacement ends. */
  readonly rtcHigh: boolean;
}

/** A comparator nobody has set. */
export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** The block after reset: stopped at zero, comparators at all ones. */
export function hpetAtReset(): HpetState {
  return {
    configuration: 0,
    status: 0,
    counter: 0n,
    since: 0,
    timers: Array.from({ length: TIMERS }, () => ({
      configuration: TN.periodicCapable | TN.size64Capable,
      comparator: ALL_ONES,
      period: 0n,
      fsbRoute: 0n,
    })),
    rtcHigh: false,
  };
}

/** Whether the counter runs and timers may interrupt. */
export const isEnabled = (hpet: HpetState): boolean => (hpet.configuration & CONFIGURATION.enable) !== 0;

/** Whether timers 0 and 1 replace the PIT and the RTC. */
export const isLegacy = (hpet: HpetState): boolean => (hpet.configuration & CONFIGURATION.legacyReplacement) !== 0;

/** Whether comparator and counter are compared as 32 bits. */
export const isMode32 = (timer: HpetTimer): boolean => (timer.configuration & TN.mode32) !== 0;

/** Whether the comparator moves on by itself. */
export const isPeriodic = (timer: HpetTimer): boolean => (timer.configuration & TN.periodic) !== 0;

/** Whether a match of the timer reaches its line. */
export const interrupts = (hpet: HpetState, timer: HpetTimer): boolean =>
  isEnabled(hpet) && (timer.configuration & TN.enable) !== 0;

/** Whether the line stays high until the status bit is cleared. */
export const isLevel = (timer: HpetTimer): boolean => (timer.configuration & TN.level) !== 0;
