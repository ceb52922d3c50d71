/** What facts do to the event timer block. IA-PC HPET specification 1.0a, 2.3. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { CONFIGURATION, REGISTER, TIMER, TN, timerRegister } from './registers.ts';
import {
  type HpetState,
  type HpetTimer,
  hpetAtReset,
  interrupts,
  isEnabled,
  isLevel,
  isMode32,
  isPeriodic,
} from './state.ts';

type Hpet = Draft<HpetState>;
type Timer = Draft<HpetTimer>;

const LOW = 0xffff_ffffn;
const HIGH = LOW << 32n;

/** The counter takes writes only while it stands. */
function write(hpet: Hpet, offset: number, value: number): void {
  switch (offset) {
    case REGISTER.configuration:
      hpet.configuration = value & (CONFIGURATION.enable | CONFIGURATION.legacyReplacement);
      // Stopping withdraws every interrupt.
      if (!isEnabled(hpet)) hpet.status = 0;
      break;
    case REGISTER.status:
      hpet.status &= ~value;
      break;
    case REGISTER.counter:
      if (!isEnabled(hpet)) hpet.counter = withLow(hpet.counter, value);
      break;
    case REGISTER.counter + 4:
      if (!isEnabled(hpet)) hpet.counter = withHigh(hpet.counter, value);
      break;
  }
}

function writeTimer(hpet: Hpet, offset: number, value: number): void {
  const { index, at } = timerRegister(offset);
  const timer = hpet.timers[index];
  if (timer === undefined) return;
  switch (at) {
    case TIMER.configuration:
      writeTimerConfiguration(hpet, index, value);
      break;
    case TIMER.comparator:
      writeComparatorLow(timer, value);
      break;
    case TIMER.comparator + 4:
      writeComparatorHigh(timer, value);
      break;
    case TIMER.fsbRoute:
      timer.fsbRoute = withLow(timer.fsbRoute, value);
      break;
    case TIMER.fsbRoute + 4:
      timer.fsbRoute = withHigh(timer.fsbRoute, value);
      break;
  }
}

/** A timer that is switched off has its interrupt withdrawn. */
function writeTimerConfiguration(hpet: Hpet, index: number, value: number): void {
  const timer = hpet.timers[index]!;
  const off = timer.configuration & ~value & TN.enable;
  timer.configuration = (value & TN.writable) | (timer.configuration & ~TN.writable);
  if (isMode32(timer)) {
    timer.comparator &= LOW;
    timer.period &= LOW;
  }
  if (off) hpet.status &= ~(1 << index);
}

/** A periodic timer takes the value as its period, and as comparator only after SETVAL. Specification, 2.3.9.2.2. */
function writeComparatorLow(timer: Timer, value: number): void {
  if (!isPeriodic(timer) || timer.configuration & TN.setValue) timer.comparator = withLow(timer.comparator, value);
  if (isPeriodic(timer)) timer.period = withLow(timer.period, isMode32(timer) ? value & 0x7fff_ffff : value);
  timer.configuration &= ~TN.setValue;
}

function writeComparatorHigh(timer: Timer, value: number): void {
  if (!isPeriodic(timer) || timer.configuration & TN.setValue) timer.comparator = withHigh(timer.comparator, value);
  else timer.period = withHigh(timer.period, value);
  timer.configuration &= ~TN.setValue;
}

const withLow = (value: bigint, half: number): bigint => (value & HIGH) | BigInt(half >>> 0);
const withHigh = (value: bigint, half: number): bigint => (value & LOW) | (BigInt(half >>> 0) << 32n);

export const HPET_REDUCER: DeviceReducer<HpetState> = {
  written(hpet, { offset, value }) {
    if (offset >= TIMER.first) writeTimer(hpet, offset, value);
    else write(hpet, offset, value);
  },
  driven(hpet, input, high) {
    if (input === 'rtc') hpet.rtcHigh = high;
  },
  reset(hpet) {
    const routes = hpet.timers.map((timer) => timer.fsbRoute);
    Object.assign(hpet, hpetAtReset());
    routes.forEach((route, index) => {
      hpet.timers[index]!.fsbRoute = route;
    });
  },
  facts: {
    'sim:hpet_counter'(hpet, { counter, since }) {
      Object.assign(hpet, { counter, since });
    },
    /** Only a level-triggered interrupt shows in the status register. */
    'sim:hpet_match'(hpet, { timer: index, comparator }) {
      const timer = hpet.timers[index]!;
      timer.comparator = comparator;
      if (interrupts(hpet, timer) && isLevel(timer)) hpet.status |= 1 << index;
      else hpet.status &= ~(1 << index);
    },
  },
};
