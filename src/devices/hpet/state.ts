import { UNARMED } from '../device.ts';
import { TIMERS, TN } from './registers.ts';

/** One comparator. */
export interface HpetTimer {
  configuration: number;
  comparator: bigint;
  period: bigint;
  fsbRoute: bigint;
  /** Virtual nanosecond of the next match. */
  due: number;
  /** The next match is only the 32-bit counter's wrap. */
  wraps: boolean;
}

/** Event timer block. */
export interface HpetState {
  configuration: number;
  status: number;
  /** Main counter at `since`. */
  counter: bigint;
  /** Virtual nanosecond from which the counter has run, while enabled. */
  since: number;
  timers: HpetTimer[];
  /** What the RTC drives, for when legacy replacement ends. */
  rtcHigh: boolean;
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

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
      due: UNARMED,
      wraps: false,
    })),
    rtcHigh: false,
  };
}
