/** What facts do to a serial port. PC16550D data sheet, section 8. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { FCR, FIFO_DEPTH, IER, IIR, LSR, MCR, MSR, REGISTER } from './registers.ts';
import { hasFifos, isLatched, triggerLevel, type UartState, uartAtReset } from './state.ts';

type Uart = Draft<UartState>;

/** The highest-priority pending interrupt. Data sheet, Table IV. */
function pendingInterrupt(uart: UartState): number {
  const { ier, lsr } = uart;
  if (ier & IER.lineStatus && lsr & LSR.interrupting) return IIR.lineStatus;
  if (ier & IER.receivedData && uart.timeoutPending) return IIR.characterTimeout;
  if (ier & IER.receivedData && lsr & LSR.dataReady) {
    if (!hasFifos(uart) || uart.receiverFifo.length >= triggerLevel(uart)) return IIR.receivedData;
  }
  if (ier & IER.transmitterEmpty && uart.transmitterEmptyPending) return IIR.transmitterEmpty;
  if (ier & IER.modemStatus && uart.msr & MSR.deltas) return IIR.modemStatus;
  return IIR.none;
}

function write(uart: Uart, offset: number, value: number): void {
  switch (offset) {
    case REGISTER.data:
      if (isLatched(uart)) uart.divisor = (uart.divisor & 0xff00) | value;
      else beginTransmission(uart);
      return;
    case REGISTER.ier:
      if (isLatched(uart)) uart.divisor = (uart.divisor & 0xff) | (value << 8);
      else writeInterruptEnable(uart, value & 0x0f);
      return;
    case REGISTER.iirFcr:
      writeFifoControl(uart, value);
      return;
    case REGISTER.lcr:
      uart.lcr = value;
      return;
    case REGISTER.mcr:
      uart.mcr = value & MCR.implemented;
      return;
    case REGISTER.scr:
      uart.scr = value;
      return;
    default:
  }
}

function beginTransmission(uart: Uart): void {
  uart.transmitterEmptyPending = false;
  uart.lsr &= ~(LSR.holdingEmpty | LSR.transmitterEmpty);
}

/** The byte has left: THR and the shift register are empty. */
function endTransmission(uart: Uart): void {
  uart.lsr |= LSR.holdingEmpty | LSR.transmitterEmpty;
  uart.transmitterEmptyPending = true;
}

/** Enabling the transmitter interrupt while THR is empty requests it at once: drivers start output this way. */
function writeInterruptEnable(uart: Uart, value: number): void {
  const changed = uart.ier ^ value;
  uart.ier = value;
  if ((changed & IER.transmitterEmpty) === 0) return;
  uart.transmitterEmptyPending = (value & IER.transmitterEmpty) !== 0 && (uart.lsr & LSR.holdingEmpty) !== 0;
}

function writeFifoControl(uart: Uart, written: number): void {
  const toggled = (written ^ uart.fcr) & FCR.enable;
  const value = toggled ? written | FCR.clearReceiver | FCR.clearTransmitter : written;
  if (value & FCR.clearReceiver) {
    uart.receiverFifo = [];
    uart.timeoutPending = false;
    uart.lsr &= ~(LSR.dataReady | LSR.breakInterrupt);
  }
  if (value & FCR.clearTransmitter) {
    uart.lsr |= LSR.holdingEmpty;
    uart.transmitterEmptyPending = true;
  }
  uart.fcr = value & FCR.kept;
}

function take(uart: Uart, offset: number): void {
  switch (offset) {
    case REGISTER.data:
      takeByte(uart);
      return;
    // Reading IIR acknowledges the transmitter interrupt. Data sheet, Table IV.
    case REGISTER.iirFcr:
      uart.transmitterEmptyPending = false;
      return;
    case REGISTER.lsr:
      uart.lsr &= ~(LSR.breakInterrupt | LSR.overrun);
      return;
    case REGISTER.msr:
      uart.msr &= ~MSR.deltas;
      return;
    default:
  }
}

function takeByte(uart: Uart): void {
  if (hasFifos(uart)) {
    uart.receiverFifo.shift();
    uart.timeoutPending = false;
  }
  if (uart.receiverFifo.length === 0) uart.lsr &= ~(LSR.dataReady | LSR.breakInterrupt);
}

/** A byte reaches the receiver. An overrun loses the newest in the FIFO, the oldest without. */
function store(uart: Uart, byte: number): void {
  if (!hasFifos(uart)) {
    if (uart.lsr & LSR.dataReady) uart.lsr |= LSR.overrun;
    uart.receiverBuffer = byte;
  } else if (uart.receiverFifo.length < FIFO_DEPTH) uart.receiverFifo.push(byte);
  else uart.lsr |= LSR.overrun;
  uart.lsr |= LSR.dataReady;
}

/** IIR follows from everything else. */
const identify = (uart: Uart): void => {
  uart.iir = pendingInterrupt(uart);
};

export const UART_REDUCER: DeviceReducer<UartState> = {
  written(uart, { offset, value }) {
    write(uart, offset, value);
    identify(uart);
  },
  taken(uart, { offset }) {
    take(uart, offset);
    identify(uart);
  },
  /** Four character times have passed without the FIFO being read. */
  fired(uart) {
    if (uart.receiverFifo.length > 0) uart.timeoutPending = true;
    identify(uart);
  },
  /** Bytes still on the wire stay there. */
  reset(uart) {
    const { line, waiting } = uart;
    Object.assign(uart, uartAtReset(line), { waiting });
  },
  facts: {
    'sim:serial_sent'(uart) {
      endTransmission(uart);
      identify(uart);
    },
    'sim:serial_looped'(uart, { byte }) {
      endTransmission(uart);
      store(uart, byte);
      identify(uart);
    },
    'sim:serial_received'(uart, { bytes }) {
      for (const byte of bytes) uart.waiting.push(byte);
    },
    'sim:serial_accepted'(uart, { byte }) {
      uart.waiting.shift();
      store(uart, byte);
      identify(uart);
    },
  },
};
