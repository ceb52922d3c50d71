/** Interrupt causes, and how they come to the pin. QEMU 7.2, hw/net/e1000.c: set_interrupt_cause. */
import type { Draft } from '../../base/draft.ts';
import type { Seq } from '../../base/units.ts';
import type { Effects } from '../device.ts';
import { CAUSE, R } from './registers.ts';
import { type E1000Registers, putRegister, registerOf, TIMER } from './state.ts';

type Nic = Draft<E1000Registers>;

/** Units of delays: of ITR and of what is computed here, and how many of them RADV and TADV have. */
const UNIT_NS = 256;
const ABSOLUTE_UNITS = 4;
/** No more than 7,813 interrupts a second can be seen. 13.4.18. */
const LEAST_DELAY = 500;

/** ICR is this now. ICS reads the same. mitigates: the property. by: the fact that says so. */
export function setCause(nic: Nic, cause: number, mitigates: boolean, by?: Seq): void {
  putRegister(nic, R.ICR, cause >>> 0);
  putRegister(nic, R.ICS, cause >>> 0);
  const pending = (registerOf(nic, R.IMS) & cause) >>> 0;
  const { mitigation } = nic;
  if (!mitigation.isRaised && pending !== 0) {
    if (mitigation.delay !== 0) {
      mitigation.since ??= by;
      return;
    }
    if (mitigates) {
      mitigation.delay = delayOf(nic, pending);
      mitigation.isDelayed = false;
    }
  }
  mitigation.isRaised = pending !== 0;
  mitigation.since = undefined;
}

/** More causes. */
export const addCause = (nic: Nic, cause: number, mitigates: boolean, by?: Seq): void =>
  setCause(nic, registerOf(nic, R.ICR) | cause, mitigates, by);

/** How long no further interrupt comes: the least of what applies. */
function delayOf(nic: Nic, pending: number): number {
  const isSent = nic.mitigation.isDelayed && (pending & (CAUSE.txqe | CAUSE.txdw)) !== 0;
  const isReceived = registerOf(nic, R.RDTR) !== 0 && (pending & CAUSE.rxt0) !== 0;
  const delays = [
    isSent ? ABSOLUTE_UNITS * registerOf(nic, R.TADV) : 0,
    isReceived ? ABSOLUTE_UNITS * registerOf(nic, R.RADV) : 0,
    registerOf(nic, R.ITR),
  ].filter((delay) => delay !== 0);
  return delays.length === 0 ? LEAST_DELAY : Math.max(LEAST_DELAY, Math.min(...delays));
}

/** The timer and the pin, as the state has them. since: what made an interrupt that has waited. */
export function driveInterrupt({ mitigation }: E1000Registers, effects: Effects, since?: Seq): void {
  const { delay, isRaised } = mitigation;
  if (delay !== 0 && effects.deadline(TIMER.mitigation) === undefined) {
    effects.arm(TIMER.mitigation, effects.now + delay * UNIT_NS);
  }
  effects.pin('intx', isRaised, since);
}
