import type { Effects } from '../device.ts';
import { BAUD_BASE, FCR, IIR, LCR, LSR, MCR, MSR, REGISTER } from './registers.ts';
import { hasFifos, isLatched, isLooped, triggerLevel, type UartState } from './state.ts';

const NANOSECONDS = 1_000_000_000;

/** The character time-out, while the FIFO holds bytes. */
const TIMEOUT = 'timeout';

/** Read one register. PC16550D data sheet, section 8. */
export function readUart(uart: UartState, offset: number, effects: Effects): number {
  switch (offset) {
    case REGISTER.data:
      return isLatched(uart) ? uart.divisor & 0xff : readReceiver(uart, effects);
    case REGISTER.ier:
      return isLatched(uart) ? uart.divisor >> 8 : uart.ier;
    case REGISTER.iirFcr:
      return readIdentification(uart, effects);
    case REGISTER.lcr:
      return uart.lcr;
    case REGISTER.mcr:
      return uart.mcr;
    case REGISTER.lsr:
      return readLineStatus(uart, effects);
    case REGISTER.msr:
      return readModemStatus(uart, effects);
    default:
      return uart.scr;
  }
}

/** Write one register. LSR and MSR ignore writes. */
export function writeUart(uart: UartState, offset: number, value: number, effects: Effects): void {
  switch (offset) {
    case REGISTER.data:
      if (isLatched(uart)) effects.commit();
      else transmit(uart, value, effects);
      return;
    case REGISTER.ier:
      writeInterruptEnable(uart, value, effects);
      return;
    case REGISTER.iirFcr:
      writeFifoControl(uart, value, effects);
      return;
    case REGISTER.mcr:
      effects.commit();
      accept(uart, effects);
      return;
    default:
      effects.commit();
  }
}

/** Four character times have passed without the FIFO being read. */
export function expireUart(uart: UartState, _timer: string, effects: Effects): void {
  if (uart.timeoutPending) driveInterrupt(uart, effects);
}

/** System reset. */
export function resetUart(_uart: UartState, effects: Effects): void {
  effects.commit();
  effects.cancel(TIMEOUT);
  effects.pin('irq', false);
}

const driveInterrupt = (uart: UartState, effects: Effects): void => effects.pin('irq', uart.iir !== IIR.none);

/** The byte leaves at once: the line is as fast as the guest, so THR is empty again when this returns. */
function transmit(uart: UartState, byte: number, effects: Effects): void {
  const { line } = uart;
  effects.commit();
  driveInterrupt(uart, effects);
  if (isLooped(uart)) {
    effects.raise({ kind: 'sim:serial_looped', line, byte });
    if (hasFifos(uart)) armTimeout(uart, effects);
  } else effects.raise({ kind: 'sim:serial_sent', line, byte });
  driveInterrupt(uart, effects);
}

function writeInterruptEnable(uart: UartState, value: number, effects: Effects): void {
  const changed = !isLatched(uart) && uart.ier !== (value & 0x0f);
  effects.commit();
  if (changed) driveInterrupt(uart, effects);
}

function writeFifoControl(uart: UartState, value: number, effects: Effects): void {
  const clears = ((value ^ uart.fcr) & FCR.enable) !== 0 || (value & FCR.clearReceiver) !== 0;
  effects.commit();
  if (clears) effects.cancel(TIMEOUT);
  driveInterrupt(uart, effects);
  accept(uart, effects);
}

function readReceiver(uart: UartState, effects: Effects): number {
  const withFifos = hasFifos(uart);
  const byte = withFifos ? (uart.receiverFifo[0] ?? 0) : uart.receiverBuffer;
  effects.commit();
  if (withFifos && uart.receiverFifo.length > 0) armTimeout(uart, effects);
  driveInterrupt(uart, effects);
  accept(uart, effects);
  return byte;
}

/** Reading IIR acknowledges the transmitter interrupt only when IIR names it. Data sheet, Table IV. */
function readIdentification(uart: UartState, effects: Effects): number {
  const value = uart.iir | (hasFifos(uart) ? IIR.fifosEnabled : 0);
  if ((uart.iir & (IIR.id | IIR.none)) === IIR.transmitterEmpty) {
    effects.commit();
    driveInterrupt(uart, effects);
  }
  return value;
}

function readLineStatus(uart: UartState, effects: Effects): number {
  const value = uart.lsr;
  if (value & (LSR.breakInterrupt | LSR.overrun)) {
    effects.commit();
    driveInterrupt(uart, effects);
  }
  return value;
}

/** In loopback the four modem outputs appear as the inputs: RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD. */
function readModemStatus(uart: UartState, effects: Effects): number {
  if (isLooped(uart)) {
    const { mcr } = uart;
    return ((mcr & (MCR.out1 | MCR.out2)) << 4) | ((mcr & MCR.rts) << 3) | ((mcr & MCR.dtr) << 5);
  }
  const value = uart.msr;
  if (value & MSR.deltas) {
    effects.commit();
    driveInterrupt(uart, effects);
  }
  return value;
}

/** Take bytes off the wire as long as there is room, as far as the trigger level before the guest has answered. */
export function accept(uart: UartState, effects: Effects): void {
  while (uart.waiting.length > 0 && !isLooped(uart) && hasRoom(uart)) {
    effects.raise({ kind: 'sim:serial_accepted', line: uart.line, byte: uart.waiting[0]! });
    if (hasFifos(uart)) armTimeout(uart, effects);
    driveInterrupt(uart, effects);
  }
}

function hasRoom(uart: UartState): boolean {
  if (!hasFifos(uart)) return (uart.lsr & LSR.dataReady) === 0;
  return uart.receiverFifo.length < triggerLevel(uart);
}

const armTimeout = (uart: UartState, effects: Effects): void =>
  effects.arm(TIMEOUT, effects.now + 4 * characterTime(uart));

/** Nanoseconds one character takes: start bit, data, parity, stop. */
function characterTime(uart: UartState): number {
  const divisor = uart.divisor === 0 || uart.divisor > BAUD_BASE ? BAUD_BASE / 9600 : uart.divisor;
  const parity = uart.lcr & LCR.parity ? 1 : 0;
  const stop = uart.lcr & LCR.stopBits ? 2 : 1;
  const bits = 1 + (uart.lcr & 0x03) + 5 + parity + stop;
  return Math.floor((NANOSECONDS * divisor * bits) / BAUD_BASE);
}
