import type { Device } from '../device.ts';
import { driveLegacy, readHpet, resetHpet, writeHpet } from './decide.ts';
import type { HpetState } from './state.ts';
import { expireHpet, TIMER_NAMES } from './timer.ts';
import type { Driver } from '../driver.ts';
import { HPET_REDUCER } from './evolve.ts';
import { hpetAtReset } from './state.ts';

export { HPET_REDUCER } from './evolve.ts';
export { type HpetState, hpetAtReset } from './state.ts';

/**
 * High-precision event timer block at 0xfed00000, 100 MHz. The RTC's and (with a user-space PIT) the PIT's outputs
 * come in as inputs, `gsi24` to `gsi31` lead nowhere; `pit_enable` low tells the PIT that timer 0 has its line.
 */
export const hpet: Device<HpetState> = {
  model: 'HPET',
  regions: [{ name: 'hpet', space: 'memory', base: 0xfed0_0000, length: 0x400, minAccess: 4, maxAccess: 4 }],
  pins: [...Array.from({ length: 32 }, (_, gsi) => `gsi${gsi}`), 'pit_enable'],
  inputs: ['rtc', 'pit'],
  timers: TIMER_NAMES,
  read: (state, _region, offset, _size, effects) => readHpet(state, offset, effects),
  write: (state, _region, offset, _size, value, effects) => writeHpet(state, offset, value, effects),
  input: driveLegacy,
  expire: expireHpet,
  reset: resetHpet,
  describe: (state) => ({
    configuration: `0x${state.configuration.toString(16)}`,
    status: `0x${state.status.toString(16)}`,
    ...Object.fromEntries(
      state.timers.map((t, n) => [
        `timer ${n}`,
        `configuration 0x${t.configuration.toString(16)} comparator 0x${t.comparator.toString(16)} period ${t.period}`,
      ]),
    ),
  }),
};

/** On the board of every `pc`. */
export const driver: Driver<HpetState, object> = {
  name: 'hpet',
  description: 'High-precision event timer',
  bus: 'System',
  category: 'Misc',
  create: () => hpet,
  atReset: hpetAtReset,
  reducer: HPET_REDUCER,
};
