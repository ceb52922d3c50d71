import type { Effects } from '../device.ts';
import {
  CAPABILITIES_HIGH,
  CAPABILITIES_LOW,
  CONFIGURATION,
  REGISTER,
  ROUTE_CAPABILITIES,
  TIMER,
  TIMERS,
  TN,
  timerRegister,
} from './registers.ts';
import { ALL_ONES, type HpetState, isEnabled, isLegacy } from './state.ts';
import { armTimer, cancelTimer, counterOf, disarmTimer, lineOf } from './timer.ts';

const RTC_LINE = 'gsi8';

/** Read 32 bits at an aligned offset. */
export function readHpet(hpet: HpetState, offset: number, effects: Effects): number {
  if (offset >= TIMER.first) return readTimer(hpet, offset);
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

/** Write 32 bits at an aligned offset. */
export function writeHpet(hpet: HpetState, offset: number, value: number, effects: Effects): void {
  if (offset >= TIMER.first) writeTimer(hpet, offset, value, effects);
  else if (offset === REGISTER.configuration) writeConfiguration(hpet, effects);
  else if (offset === REGISTER.status) clearStatus(hpet, value, effects);
  else effects.commit();
}

/** The RTC's and the PIT's outputs pass through unless timers 1 and 0 replace them. */
export function driveLegacy(hpet: HpetState, name: string, asserted: boolean, effects: Effects): void {
  if (!isLegacy(hpet)) effects.pin(name === 'rtc' ? RTC_LINE : 'gsi0', asserted);
}

/** System reset: everything stops and the PIT has its line back. */
export function resetHpet(hpet: HpetState, effects: Effects): void {
  const lines = hpet.timers.map((_, index) => lineOf(hpet, index));
  effects.commit();
  lines.forEach((line, index) => {
    cancelTimer(index, effects);
    effects.pin(line, false);
  });
  effects.pin('pit_enable', true);
}

function writeConfiguration(hpet: HpetState, effects: Effects): void {
  const { configuration } = hpet;
  const counter = counterOf(hpet, effects.now);
  effects.commit();
  const changed = configuration ^ hpet.configuration;
  if (changed & CONFIGURATION.enable) {
    effects.raise({ kind: 'sim:hpet_counter', counter, since: effects.now });
    switchCounter(hpet, effects);
  }
  if (changed & CONFIGURATION.legacyReplacement) switchLegacy(hpet, effects);
}

function switchCounter(hpet: HpetState, effects: Effects): void {
  for (let index = 0; index < TIMERS; index++) {
    if (!isEnabled(hpet)) disarmTimer(hpet, index, effects);
    else if (hpet.timers[index]!.comparator !== ALL_ONES) armTimer(hpet, index, effects);
  }
}

function switchLegacy(hpet: HpetState, effects: Effects): void {
  effects.pin('gsi0', false);
  effects.pin('pit_enable', !isLegacy(hpet));
  effects.pin(RTC_LINE, !isLegacy(hpet) && hpet.rtcHigh);
}

function clearStatus(hpet: HpetState, value: number, effects: Effects): void {
  const cleared = value & hpet.status;
  effects.commit();
  for (let index = 0; index < TIMERS; index++) {
    if (cleared & (1 << index)) effects.pin(lineOf(hpet, index), false);
  }
}

function readTimer(hpet: HpetState, offset: number): number {
  const { index, at } = timerRegister(offset);
  const timer = hpet.timers[index];
  if (timer === undefined) return 0;
  switch (at) {
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

function writeTimer(hpet: HpetState, offset: number, value: number, effects: Effects): void {
  const { index, at } = timerRegister(offset);
  const isThere = index < TIMERS;
  const toggled =
    isThere && at === TIMER.configuration && ((hpet.timers[index]!.configuration ^ value) & TN.enable) !== 0;
  effects.commit();
  if (toggled && (value & TN.enable) === 0) disarmTimer(hpet, index, effects);
  else if ((toggled || (isThere && isComparator(at))) && isEnabled(hpet)) armTimer(hpet, index, effects);
}

const isComparator = (at: number): boolean => at === TIMER.comparator || at === TIMER.comparator + 4;
const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number(value >> 32n);
