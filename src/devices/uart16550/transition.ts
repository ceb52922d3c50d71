import { type Effects, UNARMED } from '../device.ts';
import { BAUD_BASE, FCR, FIFO_DEPTH, IER, IIR, LCR, LSR, MCR, MSR, REGISTER, TRIGGER_LEVELS } from './registers.ts';
import { type UartState, uartAtReset } from './state.ts';

const NANOSECONDS = 1_000_000_000;

/** Read one register. PC16550D data sheet, section 8. */
export function readUart(uart: UartState, offset: number, effects: Effects): number {
  switch (offset) {
    case REGISTER.data:
      return latched(uart) ? uart.divisor & 0xff : readReceiver(uart, effects);
    case REGISTER.ier:
      return latched(uart) ? uart.divisor >> 8 : uart.ier;
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
      if (latched(uart)) uart.divisor = (uart.divisor & 0xff00) | value;
      else transmit(uart, value, effects);
      break;
    case REGISTER.ier:
      if (latched(uart)) uart.divisor = (uart.divisor & 0xff) | (value << 8);
      else writeInterruptEnable(uart, value & 0x0f, effects);
      break;
    case REGISTER.iirFcr:
      writeFifoControl(uart, value, effects);
      break;
    case REGISTER.lcr:
      uart.lcr = value;
      break;
    case REGISTER.mcr:
      uart.mcr = value & MCR.implemented;
      accept(uart, effects);
      break;
    case REGISTER.scr:
      uart.scr = value;
      break;
  }
}

/** Bytes arrived on the wire; what does not fit waits there. */
export function receiveUart(uart: UartState, bytes: Uint8Array, effects: Effects): void {
  for (const byte of bytes) uart.waiting.push(byte);
  accept(uart, effects);
}

/** A break condition arrived: a zero byte with LSR.BI. */
export function receiveBreak(uart: UartState, effects: Effects): void {
  uart.receiverBuffer = 0;
  pushFifo(uart, 0);
  uart.lsr |= LSR.breakInterrupt | LSR.dataReady;
  updateInterrupt(uart, effects);
}

/** Four character times have passed without the FIFO being read. */
export function expireUart(uart: UartState, effects: Effects): void {
  if (uart.timeoutDue === UNARMED || uart.timeoutDue > effects.now) return;
  uart.timeoutDue = UNARMED;
  if (uart.receiverFifo.length === 0) return;
  uart.timeoutPending = true;
  updateInterrupt(uart, effects);
}

/** System reset. Bytes still on the wire stay there. */
export function resetUart(uart: UartState, effects: Effects): void {
  const waiting = uart.waiting;
  Object.assign(uart, uartAtReset(uart.line), { waiting });
  effects.pin('irq', false);
}

const latched = (uart: UartState): boolean => (uart.lcr & LCR.divisorLatch) !== 0;
const fifosOn = (uart: UartState): boolean => (uart.fcr & FCR.enable) !== 0;
const looped = (uart: UartState): boolean => (uart.mcr & MCR.loop) !== 0;
const trigger = (uart: UartState): number => TRIGGER_LEVELS[uart.fcr >> 6]!;

/** The highest-priority pending interrupt decides IIR and the pin. Data sheet, Table IV. */
function updateInterrupt(uart: UartState, effects: Effects): void {
  uart.iir = pendingInterrupt(uart);
  effects.pin('irq', uart.iir !== IIR.none);
}

function pendingInterrupt(uart: UartState): number {
  const { ier, lsr } = uart;
  if (ier & IER.lineStatus && lsr & LSR.interrupting) return IIR.lineStatus;
  if (ier & IER.receivedData && uart.timeoutPending) return IIR.characterTimeout;
  if (ier & IER.receivedData && lsr & LSR.dataReady) {
    if (!fifosOn(uart) || uart.receiverFifo.length >= trigger(uart)) return IIR.receivedData;
  }
  if (ier & IER.transmitterEmpty && uart.transmitterEmptyPending) return IIR.transmitterEmpty;
  if (ier & IER.modemStatus && uart.msr & MSR.deltas) return IIR.modemStatus;
  return IIR.none;
}

/** The byte leaves at once: the line is as fast as the guest, so THR is empty again when this returns. */
function transmit(uart: UartState, byte: number, effects: Effects): void {
  uart.transmitterEmptyPending = false;
  uart.lsr &= ~(LSR.holdingEmpty | LSR.transmitterEmpty);
  updateInterrupt(uart, effects);
  uart.lsr |= LSR.holdingEmpty;
  uart.transmitterEmptyPending = true;
  updateInterrupt(uart, effects);
  if (looped(uart)) {
    store(uart, byte, effects);
  } else {
    effects.raise({ kind: 'sim:serial_sent', line: uart.line, byte });
    effects.ask({ ask: 'serial-output', line: uart.line, byte });
  }
  uart.lsr |= LSR.transmitterEmpty;
}

/** Enabling the transmitter interrupt while THR is empty requests it at once: drivers start output this way. */
function writeInterruptEnable(uart: UartState, value: number, effects: Effects): void {
  const changed = uart.ier ^ value;
  uart.ier = value;
  if (changed & IER.transmitterEmpty) {
    const enabled = (value & IER.transmitterEmpty) !== 0;
    uart.transmitterEmptyPending = enabled && (uart.lsr & LSR.holdingEmpty) !== 0;
  }
  if (changed !== 0) updateInterrupt(uart, effects);
}

function writeFifoControl(uart: UartState, written: number, effects: Effects): void {
  const toggled = (written ^ uart.fcr) & FCR.enable;
  const value = toggled ? written | FCR.clearReceiver | FCR.clearTransmitter : written;
  if (value & FCR.clearReceiver) {
    uart.receiverFifo = [];
    uart.timeoutDue = UNARMED;
    uart.timeoutPending = false;
    uart.lsr &= ~(LSR.dataReady | LSR.breakInterrupt);
  }
  if (value & FCR.clearTransmitter) {
    uart.lsr |= LSR.holdingEmpty;
    uart.transmitterEmptyPending = true;
  }
  uart.fcr = value & FCR.kept;
  updateInterrupt(uart, effects);
  accept(uart, effects);
}

function readReceiver(uart: UartState, effects: Effects): number {
  let byte = uart.receiverBuffer;
  if (fifosOn(uart)) {
    byte = uart.receiverFifo.shift() ?? 0;
    uart.timeoutPending = false;
    if (uart.receiverFifo.length > 0) uart.timeoutDue = effects.now + 4 * characterTime(uart);
  }
  if (!fifosOn(uart) || uart.receiverFifo.length === 0) uart.lsr &= ~(LSR.dataReady | LSR.breakInterrupt);
  updateInterrupt(uart, effects);
  accept(uart, effects);
  return byte;
}

/** Reading IIR acknowledges the transmitter interrupt only when IIR names it. Data sheet, Table IV. */
function readIdentification(uart: UartState, effects: Effects): number {
  const value = uart.iir | (fifosOn(uart) ? IIR.fifosEnabled : 0);
  if ((uart.iir & (IIR.id | IIR.none)) === IIR.transmitterEmpty) {
    uart.transmitterEmptyPending = false;
    updateInterrupt(uart, effects);
  }
  return value;
}

function readLineStatus(uart: UartState, effects: Effects): number {
  const value = uart.lsr;
  if (value & (LSR.breakInterrupt | LSR.overrun)) {
    uart.lsr &= ~(LSR.breakInterrupt | LSR.overrun);
    updateInterrupt(uart, effects);
  }
  return value;
}

/** In loopback the four modem outputs appear as the inputs: RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD. */
function readModemStatus(uart: UartState, effects: Effects): number {
  if (looped(uart)) {
    const { mcr } = uart;
    return ((mcr & (MCR.out1 | MCR.out2)) << 4) | ((mcr & MCR.rts) << 3) | ((mcr & MCR.dtr) << 5);
  }
  const value = uart.msr;
  if (value & MSR.deltas) {
    uart.msr &= ~MSR.deltas;
    updateInterrupt(uart, effects);
  }
  return value;
}

/** Take bytes off the wire as long as there is room, as far as the trigger level before the guest has answered. */
function accept(uart: UartState, effects: Effects): void {
  while (uart.waiting.length > 0 && !looped(uart) && hasRoom(uart)) store(uart, uart.waiting.shift()!, effects);
}

function hasRoom(uart: UartState): boolean {
  if (!fifosOn(uart)) return (uart.lsr & LSR.dataReady) === 0;
  return uart.receiverFifo.length < trigger(uart);
}

function store(uart: UartState, byte: number, effects: Effects): void {
  if (fifosOn(uart)) {
    pushFifo(uart, byte);
    uart.timeoutDue = effects.now + 4 * characterTime(uart);
  } else {
    if (uart.lsr & LSR.dataReady) uart.lsr |= LSR.overrun;
    uart.receiverBuffer = byte;
  }
  uart.lsr |= LSR.dataReady;
  updateInterrupt(uart, effects);
}

/** An overrun loses the newest byte; the FIFO's contents stay. */
function pushFifo(uart: UartState, byte: number): void {
  if (uart.receiverFifo.length < FIFO_DEPTH) uart.receiverFifo.push(byte);
  else uart.lsr |= LSR.overrun;
}

/** Nanoseconds one character takes: start bit, data, parity, stop. */
function characterTime(uart: UartState): number {
  const divisor = uart.divisor === 0 || uart.divisor > BAUD_BASE ? BAUD_BASE / 9600 : uart.divisor;
  const parity = uart.lcr & LCR.parity ? 1 : 0;
  const stop = uart.lcr & LCR.stopBits ? 2 : 1;
  const bits = 1 + (uart.lcr & 0x03) + 5 + parity + stop;
  return Math.floor((NANOSECONDS * divisor * bits) / BAUD_BASE);
}
