/** What the controller does by itself. QEMU 7.2, hw/net/rtl8139.c. */
import type { Effects, Packet } from '../device.ts';
import { timerNs, TIMER_ROUND_NS, type Width } from './access.ts';
import { addressIn, writeMemory } from './dma.ts';
import { driveInterrupt } from './interrupts.ts';
import { receive } from './receive.ts';
import { CR, DTCCR, MODE, POLL, R, SLOTS } from './registers.ts';
import { registerOf, type Rtl8139State, TIMER, TIMERS } from './state.ts';
import { tallyBytes } from './tally.ts';
import { sendDescriptors, sendSlot } from './transmit.ts';
import { partsOf, type RegisterPart } from './writes.ts';

export function writeRegister(
  nic: Rtl8139State,
  write: { readonly offset: number; readonly size: number; readonly value: number },
  effects: Effects,
): void {
  const interval = registerOf(nic, R.TIMERINT);
  effects.commit();
  for (const part of partsOf({ ...write, size: write.size as Width })) follow(nic, part, interval, effects);
}

/** What follows from a write of a register. interval: what TimerInt was before it. */
function follow(nic: Rtl8139State, part: RegisterPart, interval: number, effects: Effects): void {
  const { offset, size, value } = part;
  if (size === 1) followByte(nic, offset, value, effects);
  else if (size === 2) followWord(nic, offset, effects);
  else if (offset >= R.TSD && offset < R.TSD + 4 * SLOTS) followSlot(nic, part, effects);
  else if (offset === R.TCTR) {
    effects.raise({ kind: 'sim:rtl8139_timer_begun', dev: effects.name, ns: effects.now });
    setTimer(nic, effects);
  } else if (offset === R.TIMERINT && value !== interval) setTimer(nic, effects);
}

function followByte(nic: Rtl8139State, offset: number, value: number, effects: Effects): void {
  const isReset =
    (offset === R.CR && (value & CR.reset) !== 0) || (offset === R.CR9346 && (value & MODE.mask) === MODE.load);
  if (isReset) settle(effects);
  else if (offset === R.TPPOLL && (value & POLL) !== 0) {
    if (effects.deadline(TIMER.transmit) !== undefined) effects.cancel(TIMER.transmit);
    sendDescriptors(nic, effects);
  }
}

function followWord(nic: Rtl8139State, offset: number, effects: Effects): void {
  if (offset === R.CAPR) effects.takePackets();
  if (offset !== R.ISR && offset !== R.IMR) return;
  if (offset === R.ISR) {
    // The pin goes down for a moment, as in QEMU.
    effects.pin('intx', false);
    setTimer(nic, effects);
  }
  driveInterrupt(nic, effects);
}

/** In C+ mode it is no slot: the counters may be asked for. */
function followSlot(nic: Rtl8139State, { offset, value }: RegisterPart, effects: Effects): void {
  if (!nic.isCPlus) sendSlot(nic, effects);
  else if (offset === R.TSD && (value & DTCCR.command) !== 0) {
    const at = addressIn(nic, R.TSD);
    effects.raise({ kind: 'sim:rtl8139_tally_told', dev: effects.name, ...nic.tally });
    writeMemory(nic, effects, at - (at % (DTCCR.reserved + 1)), tallyBytes(nic.tally));
  }
}

/** When TCTR comes to TimerInt next. Nothing waits for zero. rtl8139_set_next_tctr_time. */
function setTimer(nic: Rtl8139State, effects: Effects): void {
  const counts = registerOf(nic, R.TIMERINT);
  const armed = effects.deadline(TIMER.timer);
  if (counts === 0) {
    if (armed !== undefined) effects.cancel(TIMER.timer);
    return;
  }
  const { now } = effects;
  const round = now - ((now - nic.timerBase) % TIMER_ROUND_NS);
  const due = round + timerNs(counts);
  const deadline = due > now ? due : due + TIMER_ROUND_NS;
  if (armed !== deadline) effects.arm(TIMER.timer, deadline);
}

/** Behind a reset nothing waits. */
function settle(effects: Effects): void {
  for (const timer of TIMERS) if (effects.deadline(timer) !== undefined) effects.cancel(timer);
  effects.pin('intx', false);
}

export function expireTimer(nic: Rtl8139State, timer: string, effects: Effects): void {
  if (timer === TIMER.transmit) sendDescriptors(nic, effects, nic.transmission.left);
  else if (nic.isClocked) {
    driveInterrupt(nic, effects);
    setTimer(nic, effects);
  }
}

export function receivePacket(nic: Rtl8139State, packet: Packet, effects: Effects): boolean {
  const received = receive(nic, packet.bytes, effects, () => effects.commit());
  if (received.end === 'lost') effects.dropPacket(packet, received.why);
  return received.end !== 'waits';
}

/** Somebody pulled the cable, or plugged it. */
export function setLink(nic: Rtl8139State, up: boolean, effects: Effects): void {
  effects.raise({ kind: 'sim:rtl8139_link', dev: effects.name, up });
  driveInterrupt(nic, effects);
}

export function reset(effects: Effects): void {
  effects.commit();
  settle(effects);
}
