import { type Effects, UNARMED } from '../device.ts';
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

/** Read one of the function's I/O registers. */
export function readPm(pm: Piix4PmState, region: number, offset: number, effects: Effects): number {
  switch (region) {
    case REGION.event:
      if (offset === 0) return eventStatus(pm, effects.now);
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

/** Write one of the function's I/O registers. The PM timer ignores writes. */
export function writePm(pm: Piix4PmState, region: number, offset: number, value: number, effects: Effects): void {
  switch (region) {
    case REGION.event:
      if (offset === 0) clearEvents(pm, value, effects);
      else if (offset === 2) pm.enable = value;
      updateSci(pm, effects);
      break;
    case REGION.control:
      writeControl(pm, value, effects);
      break;
    case REGION.gpe:
      if (offset < 2) pm.gpe[offset] = pm.gpe[offset]! & ~value;
      else pm.gpe[offset] = value;
      updateSci(pm, effects);
      break;
    case REGION.apm:
      if (offset === 0) writeApmControl(pm, value, effects);
      else pm.apmStatus = value;
      break;
    case REGION.smbus:
      writeSmbus(pm, offset, value);
      break;
  }
}

/** The PM timer reached the count that sets TMR_STS. */
export function expirePm(pm: Piix4PmState, effects: Effects): void {
  if (pm.overflowDue === UNARMED || pm.overflowDue > effects.now) return;
  updateSci(pm, effects);
}

/** The power button: PWRBTN_STS and the SCI, if the guest wants to know. */
export function pressPowerButton(pm: Piix4PmState, effects: Effects): void {
  if ((pm.enable & PM1.powerButton) === 0) return;
  pm.status |= PM1.powerButton;
  updateSci(pm, effects);
}

/** Registers after a system reset. The 82371AB's I/O base must be set again by firmware. */
export function resetPm(pm: Piix4PmState, effects: Effects): void {
  for (const at of [0x58, 0x59, 0x5a]) pm.config[at] = 0;
  pm.config[CONFIG.apmEnable] = pm.smm ? 0 : 0x02;
  pm.config[CONFIG.pmBase] = 0x01;
  pm.config[CONFIG.pmEnable] = 0;
  pm.status = 0;
  pm.enable = 0;
  pm.control = 0;
  pm.overflowCount = 0;
  pm.gpe = [0, 0, 0, 0];
  updateSci(pm, effects);
}

/** The PM timer's count, unlimited by its 24 bits. */
export function timerCount(now: number): number {
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

function eventStatus(pm: Piix4PmState, now: number): number {
  if (timerCount(now) >= pm.overflowCount) pm.status |= PM1.timer;
  return pm.status;
}

function clearEvents(pm: Piix4PmState, value: number, effects: Effects): void {
  if (eventStatus(pm, effects.now) & value & PM1.timer) {
    pm.overflowCount = (Math.floor(timerCount(effects.now) / OVERFLOW_PERIOD) + 1) * OVERFLOW_PERIOD;
  }
  pm.status &= ~value;
}

/** The SCI's level and, while TMR_STS can still raise it, the timer's deadline. */
function updateSci(pm: Piix4PmState, effects: Effects): void {
  const status = eventStatus(pm, effects.now);
  const general = (pm.gpe[0]! & pm.gpe[2]!) !== 0;
  effects.pin('sci', general || (status & pm.enable & PM1_INTERRUPTING) !== 0);
  const wanted = (pm.enable & PM1.timer) !== 0 && (status & PM1.timer) === 0;
  pm.overflowDue = wanted ? timeOfCount(pm.overflowCount) : UNARMED;
}

function writeControl(pm: Piix4PmState, value: number, effects: Effects): void {
  pm.control = value & ~CONTROL.sleepEnable;
  if ((value & CONTROL.sleepEnable) === 0) return;
  const type = (value >> 10) & 7;
  if (type === SLEEP_TYPE.s5 || type === SLEEP_TYPE.s4) effects.ask({ ask: 'power-off' });
}

/** A write to port 0xb2 is an SMI to the firmware; QEMU serves the two that switch ACPI mode itself. */
function writeApmControl(pm: Piix4PmState, value: number, effects: Effects): void {
  pm.apmControl = value;
  if (value === APM.acpiEnable) {
    pm.control |= CONTROL.sciEnable;
  } else if (value === APM.acpiDisable) {
    pm.control &= ~CONTROL.sciEnable;
  } else if (pm.smm && pm.config[CONFIG.apmEnable]! & 0x02) {
    effects.pin('smi', true);
    effects.pin('smi', false);
  }
}

/** Starting a transfer ends in DEV_ERR: nothing is on the bus. Host status bits are write-one-to-clear. */
function writeSmbus(pm: Piix4PmState, offset: number, value: number): void {
  const HOST_STATUS = 0;
  const HOST_CONTROL = 2;
  const START = 0x40;
  const DEVICE_ERROR = 0x04;
  if (offset >= pm.smbus.length) return;
  if (offset === HOST_STATUS) pm.smbus[offset] = pm.smbus[offset]! & ~value;
  else pm.smbus[offset] = offset === HOST_CONTROL ? value & ~START : value;
  if (offset === HOST_CONTROL && value & START) pm.smbus[HOST_STATUS] = pm.smbus[HOST_STATUS]! | DEVICE_ERROR;
}
