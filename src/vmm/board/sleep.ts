/** S3: sleep with memory kept, as QEMU's qemu_system_suspend and qemu_system_wakeup have it. */
import { MAIN_LOOP } from '../../events/stamped.ts';
import { alarmInterrupts } from '../../devices/mc146818/index.ts';
import { WAKE_UP } from '../../devices/piix4-pm/index.ts';
import type { WakeReason } from '../../devices/device.ts';
import { enterKvmRun, leaveKvmRun, type Served } from '../accel/kvm-reset.ts';
import type { VmmState } from '../state.ts';
import type { Machine } from './machine.ts';
import { resetBoard, resetIfAsked } from './reset.ts';

/** Sleep, reset or wake up as somebody asked, once the access that asked is over. False: nobody has asked. */
export function changePowerIfAsked(asked: Machine, served?: Served): boolean {
  const { sleep } = asked.state;
  if (sleep?.isAsleep === false) suspend(asked, served);
  return resetIfAsked(asked, served) || wakeUpIfAsked(asked) || sleep !== undefined;
}

/** It sleeps, and its clock is going to wake it. */
export function awaitsAlarm({ sleep, devices }: VmmState): boolean {
  if (sleep?.isAsleep !== true || !alarmInterrupts(devices.rtc)) return false;
  return (devices['piix4-pm'].enable & WAKE_UP.rtc.enable) !== 0;
}

/** The vCPUs' threads stay in user space; timers go on. */
function suspend(asked: Machine, served: Served | undefined): void {
  const machine = asked.from(asked.origin.by(MAIN_LOOP));
  leaveKvmRun(machine.after(machine.raise({ kind: 'sim:suspended' })), served);
}

/** A reset of everything but memory; PM1 status tells why, and firmware how to go on. */
function wakeUpIfAsked(asked: Machine): boolean {
  const by = asked.state.sleep?.wokenBy as WakeReason | undefined;
  if (by === undefined) return false;
  const awake = asked.from(asked.origin.by(MAIN_LOOP));
  const machine = awake.after(awake.raise({ kind: 'sim:woken', by }));
  resetBoard(machine);
  machine.raise({ kind: 'sim:pm_woken', status: WAKE_UP[by].status });
  machine.board.type.wakeUp(machine);
  enterKvmRun(machine);
  return true;
}
