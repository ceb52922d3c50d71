import { type Effects, UNARMED } from '../device.ts';
import {
  CAPABILITIES_HIGH,
  CAPABILITIES_LOW,
  CONFIGURATION,
  REGISTER,
  ROUTE_CAPABILITIES,
  TIMER,
  TIMERS,
  TN,
} from './registers.ts';
import { type HpetState, type HpetTimer, hpetAtReset } from './state.ts';
import {
  armTimer,
  counterOf,
  disarmTimer,
  driveTimer,
  isEnabled,
  isLegacy,
  isMode32,
  isPeriodic,
  matchTimer,
} from './timer.ts';

const LOW = 0xffff_ffffn;
const HIGH = LOW << 32n;
const ALL_ONES = HIGH | LOW;
const RTC_LINE = 'gsi8';

/** Read 32 bits at an aligned offset. */
export function readHpet(hpet: HpetState, offset: number, effects: Effects): number {
  if (offset >= TIMER.first) return readTimer(hpet, offset - TIMER.first);
  switch (offset) {
    case REGISTER.capabilities:
      return CAPABILITIES_LOW;
    case REGISTER.capabilities + 4:
      return CAPABILITIES_HIGH;
    case REGISTER.configuration:
      return hpet.configuration;
    case REGISTER.status:
      return hpet.status;
    case REGISTER.counter:
      return low(counterOf(hpet, effects.now));
    case REGISTER.counter + 4:
      return high(counterOf(hpet, effects.now));
    default:
      return 0;
  }
}

/** Write 32 bits at an aligned offset. The counter takes writes only while it stands. */
export function writeHpet(hpet: HpetState, offset: number, value: number, effects: Effects): void {
  if (offset >= TIMER.first) {
    writeTimer(hpet, offset - TIMER.first, value, effects);
    return;
  }
  switch (offset) {
    case REGISTER.configuration:
      writeConfiguration(hpet, value & 3, effects);
      break;
    case REGISTER.status:
      for (let index = 0; index < TIMERS; index++) {
        if (value & hpet.status & (1 << index)) driveTimer(hpet, index, false, effects);
      }
      break;
    case REGISTER.counter:
      if (!isEnabled(hpet)) hpet.counter = withLow(hpet.counter, value);
      break;
    case REGISTER.counter + 4:
      if (!isEnabled(hpet)) hpet.counter = withHigh(hpet.counter, value);
      break;
  }
}

/** Serve every timer that is due. */
export function expireHpet(hpet: HpetState, effects: Effects): void {
  hpet.timers.forEach((timer, index) => {
    if (timer.due !== UNARMED && timer.due <= effects.now) matchTimer(hpet, index, effects);
  });
}

/** Earliest match of the three timers. */
export function hpetDeadline(hpet: HpetState): number | undefined {
  let earliest = UNARMED;
  for (const { due } of hpet.timers) {
    if (due !== UNARMED && (earliest === UNARMED || due < earliest)) earliest = due;
  }
  return earliest === UNARMED ? undefined : earliest;
}

/** The RTC's and the PIT's outputs pass through unless timers 1 and 0 replace them. */
export function driveLegacy(hpet: HpetState, name: string, asserted: boolean, effects: Effects): void {
  if (name === 'rtc') hpet.rtcHigh = asserted;
  if (!isLegacy(hpet)) effects.pin(name === 'rtc' ? RTC_LINE : 'gsi0', asserted);
}

/** System reset: everything stops and the PIT has its line back. */
export function resetHpet(hpet: HpetState, effects: Effects): void {
  for (let index = 0; index < TIMERS; index++) disarmTimer(hpet, index, effects);
  const routes = hpet.timers.map((timer) => timer.fsbRoute);
  Object.assign(hpet, hpetAtReset());
  routes.forEach((route, index) => {
    hpet.timers[index]!.fsbRoute = route;
  });
  effects.pin('pit_enable', true);
}

function writeConfiguration(hpet: HpetState, value: number, effects: Effects): void {
  const changed = hpet.configuration ^ value;
  if (changed & CONFIGURATION.enable) {
    hpet.counter = counterOf(hpet, effects.now);
    hpet.since = effects.now;
  }
  hpet.configuration = value;
  if (changed & CONFIGURATION.enable) switchCounter(hpet, effects);
  if (changed & CONFIGURATION.legacyReplacement) switchLegacy(hpet, effects);
}

function switchCounter(hpet: HpetState, effects: Effects): void {
  for (let index = 0; index < TIMERS; index++) {
    const timer = hpet.timers[index]!;
    if (!isEnabled(hpet)) disarmTimer(hpet, index, effects);
    else if (timer.comparator !== ALL_ONES) armTimer(hpet, timer, effects.now);
  }
}

function switchLegacy(hpet: HpetState, effects: Effects): void {
  effects.pin('gsi0', false);
  effects.pin('pit_enable', !isLegacy(hpet));
  effects.pin(RTC_LINE, !isLegacy(hpet) && hpet.rtcHigh);
}

function readTimer(hpet: HpetState, at: number): number {
  const timer = hpet.timers[Math.floor(at / TIMER.stride)];
  if (timer === undefined) return 0;
  switch (at % TIMER.stride) {
    case TIMER.configuration:
      return timer.configuration;
    case TIMER.configuration + 4:
      return ROUTE_CAPABILITIES;
    case TIMER.comparator:
      return low(timer.comparator);
    case TIMER.comparator + 4:
      return high(timer.comparator);
    case TIMER.fsbRoute:
      return low(timer.fsbRoute);
    case TIMER.fsbRoute + 4:
      return high(timer.fsbRoute);
    default:
      return 0;
  }
}

function writeTimer(hpet: HpetState, at: number, value: number, effects: Effects): void {
  const index = Math.floor(at / TIMER.stride);
  const timer = hpet.timers[index];
  if (timer === undefined) return;
  switch (at % TIMER.stride) {
    case TIMER.configuration:
      writeTimerConfiguration(hpet, index, value, effects);
      break;
    case TIMER.comparator:
      writeComparatorLow(timer, value);
      if (isEnabled(hpet)) armTimer(hpet, timer, effects.now);
      break;
    case TIMER.comparator + 4:
      writeComparatorHigh(timer, value);
      if (isEnabled(hpet)) armTimer(hpet, timer, effects.now);
      break;
    case TIMER.fsbRoute:
      timer.fsbRoute = withLow(timer.fsbRoute, value);
      break;
    case TIMER.fsbRoute + 4:
      timer.fsbRoute = withHigh(timer.fsbRoute, value);
      break;
  }
}

function writeTimerConfiguration(hpet: HpetState, index: number, value: number, effects: Effects): void {
  const timer = hpet.timers[index]!;
  const old = timer.configuration;
  timer.configuration = (value & TN.writable) | (old & ~TN.writable);
  if (value & TN.mode32) {
    timer.comparator &= LOW;
    timer.period &= LOW;
  }
  const toggled = (old ^ value) & TN.enable;
  if (!toggled) return;
  if ((value & TN.enable) === 0) disarmTimer(hpet, index, effects);
  else if (isEnabled(hpet)) armTimer(hpet, timer, effects.now);
}

/** A periodic timer takes the value as its period, and as comparator only after SETVAL. Specification, 2.3.9.2.2. */
function writeComparatorLow(timer: HpetTimer, value: number): void {
  if (!isPeriodic(timer) || timer.configuration & TN.setValue) timer.comparator = withLow(timer.comparator, value);
  if (isPeriodic(timer)) timer.period = withLow(timer.period, isMode32(timer) ? value & 0x7fff_ffff : value);
  timer.configuration &= ~TN.setValue;
}

function writeComparatorHigh(timer: HpetTimer, value: number): void {
  if (!isPeriodic(timer) || timer.configuration & TN.setValue) timer.comparator = withHigh(timer.comparator, value);
  else timer.period = withHigh(timer.period, value);
  timer.configuration &= ~TN.setValue;
}

const low = (value: bigint): number => Number(value & LOW);
const high = (value: bigint): number => Number(value >> 32n);
const withLow = (value: bigint, half: number): bigint => (value & HIGH) | BigInt(half >>> 0);
const withHigh = (value: bigint, half: number): bigint => (value & LOW) | (BigInt(half >>> 0) << 32n);
