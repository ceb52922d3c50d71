/** What facts do to the clock and its RAM. MC146818A data sheet. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { PERIODIC } from './periodic.ts';
import { A, B, C, isIndexPort, REGISTER } from './registers.ts';
import { isDivided, isDividerReset, type RtcState, selectedRegister } from './state.ts';
import { timeBytes } from './time.ts';

type Rtc = Draft<RtcState>;

const NANOSECONDS = 1_000_000_000;
const DAY = 86_400;
/** The shutdown byte with which firmware finds its way back from S3: a reset leaves it. */
const S3_RESUME = 0xfe;

/** Registers C and D ignore writes. */
function write(rtc: Rtc, value: number): void {
  switch (rtc.index) {
    case REGISTER.a:
      writeA(rtc, value);
      break;
    case REGISTER.b:
      writeB(rtc, value);
      break;
    case REGISTER.c:
    case REGISTER.d:
      break;
    default:
      rtc.cmos[rtc.index] = value;
  }
}

/** UIP is not software's; holding or releasing the divider chain ends an update. */
function writeA({ cmos }: Rtc, value: number): void {
  const old = cmos[REGISTER.a]!;
  const ends = isDividerReset(value) || (isDividerReset(old) && isDivided(value));
  cmos[REGISTER.a] = (value & ~A.updateInProgress) | (ends ? 0 : old & A.updateInProgress);
}

/** SET ends an update and its interrupt. A flag already set interrupts as soon as it is enabled. */
function writeB({ cmos }: Rtc, value: number): void {
  if (value & B.set) cmos[REGISTER.a]! &= ~A.updateInProgress;
  const kept = value & B.set ? value & ~B.updateEnded : value;
  if (kept & cmos[REGISTER.c]! & C.any) cmos[REGISTER.c]! |= C.request;
  else cmos[REGISTER.c]! &= ~C.request;
  cmos[REGISTER.b] = kept;
}

/** A flag rises; IRQF follows where its interrupt is enabled. */
function raiseFlags({ cmos }: Rtc, flags: number): void {
  const risen = flags & ~cmos[REGISTER.c]!;
  cmos[REGISTER.c]! |= flags;
  if (risen & cmos[REGISTER.b]!) cmos[REGISTER.c]! |= C.request;
}

function showTime(rtc: Rtc, seconds: number, mode: number): void {
  for (const [register, byte] of timeBytes(seconds, mode)) rtc.cmos[register] = byte;
}

/** The alarm registers are zero then: midnight. */
function powerOn(rtc: Rtc, seconds: number): void {
  showTime(rtc, seconds, rtc.cmos[REGISTER.b]!);
  rtc.baseSeconds = seconds;
  rtc.alarmAt = (DAY - (seconds % DAY)) * NANOSECONDS;
}

export const MC146818_REDUCER: DeviceReducer<RtcState> = {
  written(rtc, { offset, value }) {
    if (isIndexPort(offset)) {
      rtc.index = value & 0x7f;
      return;
    }
    rtc.index = selectedRegister(rtc);
    write(rtc, value);
  },
  taken(rtc) {
    rtc.index = selectedRegister(rtc);
    if (rtc.index === REGISTER.c) rtc.cmos[REGISTER.c] = 0;
  },
  /** A periodic interrupt asks again even if the last was not acknowledged. */
  fired({ cmos }, timer) {
    if (timer !== PERIODIC) return;
    cmos[REGISTER.c]! |= C.periodic;
    if (cmos[REGISTER.b]! & B.periodic) cmos[REGISTER.c]! |= C.request;
  },
  reset({ cmos }) {
    if (cmos[REGISTER.shutdownStatus] !== S3_RESUME) cmos[REGISTER.shutdownStatus] = 0;
    cmos[REGISTER.b]! &= ~(B.periodic | B.alarm | B.squareWave);
    cmos[REGISTER.c]! &= ~(C.any | C.request);
  },
  facts: {
    'sim:powered_on'(rtc, { wall_clock }) {
      powerOn(rtc, rtc.baseSeconds + Number(wall_clock / BigInt(NANOSECONDS)));
    },
    /** Firmware finds the way back to the guest by it. */
    'sim:suspended'({ cmos }) {
      cmos[REGISTER.shutdownStatus] = S3_RESUME;
    },
    'sim:rtc_time'(rtc, { seconds, mode }) {
      showTime(rtc, seconds, mode);
    },
    'sim:rtc_set'(rtc, { base_seconds, set_at, phase }) {
      Object.assign(rtc, { baseSeconds: base_seconds, setAt: set_at, phase });
    },
    'sim:rtc_alarm'(rtc, { alarm_at }) {
      rtc.alarmAt = alarm_at;
    },
    'sim:rtc_uip'({ cmos }) {
      cmos[REGISTER.a]! |= A.updateInProgress;
    },
    'sim:rtc_update_ended'(rtc, { alarm }) {
      rtc.cmos[REGISTER.a]! &= ~A.updateInProgress;
      raiseFlags(rtc, C.updateEnded | (alarm ? C.alarm : 0));
    },
  },
};
