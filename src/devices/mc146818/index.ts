import type { Device } from '../device.ts';
import { expireRtc, powerOnRtc, readRtc, resetRtc, writeRtc } from './decide.ts';
import { PERIODIC } from './periodic.ts';
import { REGISTER } from './registers.ts';
import type { RtcState } from './state.ts';
import { UPDATE } from './update.ts';
import type { Driver } from '../driver.ts';
import { MC146818_REDUCER } from './evolve.ts';
import { type RtcOptions, rtcAtReset } from './state.ts';

export { MC146818_REDUCER } from './evolve.ts';
export { secondsAt } from './time.ts';
export { alarmInterrupts, type RtcOptions, type RtcState, rtcAtReset } from './state.ts';

/** Real-time clock and CMOS RAM at ports 0x70-0x71. Its pin is irq 8 (through the HPET when there is one). */
export const mc146818: Device<RtcState> = {
  model: 'MC146818 RTC',
  regions: [{ name: 'rtc', space: 'io', base: 0x70, length: 2, minAccess: 1, maxAccess: 1 }],
  pins: ['irq'],
  timers: [PERIODIC, UPDATE],
  powerOn: powerOnRtc,
  read: (rtc, _region, offset, _size, effects) => readRtc(rtc, offset, effects),
  write: (rtc, _region, offset, _size, value, effects) => writeRtc(rtc, offset, value, effects),
  expire: expireRtc,
  reset: resetRtc,
  describe: (rtc) => ({
    time: ['century', 'year', 'month', 'dayOfMonth', 'hours', 'minutes', 'seconds']
      .map((name) => shown(rtc, name))
      .join(' '),
    registers: [REGISTER.a, REGISTER.b, REGISTER.c, REGISTER.d].map((at) => byte(rtc.cmos[at]!)).join(' '),
    index: byte(rtc.index),
  }),
};

const byte = (value: number): string => value.toString(16).padStart(2, '0');
const shown = (rtc: RtcState, name: string): string => byte(rtc.cmos[REGISTER[name as keyof typeof REGISTER]]!);

/** On the board of every `pc`. */
export const driver: Driver<RtcState, RtcOptions> = {
  name: 'mc146818rtc',
  description: 'Real-time clock and CMOS memory',
  bus: 'ISA',
  category: 'Misc',
  create: () => mc146818,
  atReset: rtcAtReset,
  reducer: MC146818_REDUCER,
};
