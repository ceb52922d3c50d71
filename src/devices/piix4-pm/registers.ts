/** PIIX4 power management registers. 82371AB data sheet, chapter 7; ACPI 6.4, 4.8. */

import type { WakeReason } from '../device.ts';

/** Regions of the function, by index. */
export const REGION = { event: 0, control: 1, timer: 2, gpe: 3, apm: 4, smbus: 5 } as const;

/** PM1 status and enable bits. ACPI 6.4, 4.8.3.1. */
export const PM1 = { timer: 0x0001, globalLock: 0x0020, powerButton: 0x0100, rtc: 0x0400, wake: 0x8000 } as const;

/** PM1 status after a wake-up, and the enable bit without which there is none. What has no bit tells of the button. */
export const WAKE_UP: Readonly<Record<WakeReason, { readonly status: number; readonly enable: number }>> = {
  rtc: { status: PM1.wake | PM1.rtc, enable: PM1.rtc },
  'pm-timer': { status: PM1.wake | PM1.timer, enable: PM1.timer },
  other: { status: PM1.wake | PM1.powerButton, enable: 0 },
};

/** PM1 events that may raise the SCI. */
export const PM1_INTERRUPTING = PM1.timer | PM1.globalLock | PM1.powerButton | PM1.rtc;

/** PM1 control bits. ACPI 6.4, 4.8.3.2.1. */
export const CONTROL = { sciEnable: 0x0001, sleepEnable: 0x2000 } as const;

/** SLP_TYP values of QEMU's DSDT. */
export const SLEEP_TYPE = { s5: 0, s3: 1, s4: 2 } as const;

/** Values of the APM control port that switch ACPI mode. */
export const APM = { acpiEnable: 0xf1, acpiDisable: 0xf0 } as const;

/** Ticks per second of the PM timer. ACPI 6.4, 4.8.2.1. */
export const PM_TIMER_FREQUENCY = 3_579_545;

/** TMR_STS follows bit 23 of the 24-bit timer. */
export const OVERFLOW_PERIOD = 0x80_0000;

/** Configuration registers that place the I/O regions or steer SMIs. */
export const CONFIG = { pmBase: 0x40, apmEnable: 0x5b, pmEnable: 0x80, smbusBase: 0x90, smbusEnable: 0xd2 } as const;
