import { BAUD_BASE, FCR, LCR, LSR, MCR, MSR, TRIGGER_LEVELS } from './registers.ts';

/** A 16550A between two accesses. */
export interface UartState {
  /** Which serial line of the machine this is: 0 is COM1. */
  readonly line: number;
  readonly divisor: number;
  readonly ier: number;
  /** The low four bits of IIR; bits 7:6 follow from FCR. */
  readonly iir: number;
  readonly fcr: number;
  readonly lcr: number;
  readonly mcr: number;
  readonly lsr: number;
  readonly msr: number;
  readonly scr: number;
  /** RBR while the FIFOs are off. */
  readonly receiverBuffer: number;
  readonly receiverFifo: readonly number[];
  readonly transmitterEmptyPending: boolean;
  readonly timeoutPending: boolean;
  /** Bytes on the wire that the receiver has no room for yet. */
  readonly waiting: readonly number[];
}

/** A 16550A after MR (master reset), with a terminal attached: DCD, DSR and CTS are high. */
export function uartAtReset(line: number): UartState {
  return {
    line,
    divisor: BAUD_BASE / 9600,
    ier: 0,
    iir: 0x01,
    fcr: 0,
    lcr: 0,
    mcr: MCR.out2,
    lsr: LSR.transmitterEmpty | LSR.holdingEmpty,
    msr: MSR.dcd | MSR.dsr | MSR.cts,
    scr: 0,
    receiverBuffer: 0,
    receiverFifo: [],
    transmitterEmptyPending: false,
    timeoutPending: false,
    waiting: [],
  };
}

/** Registers 0 and 1 are the divisor latch. */
export const isLatched = (uart: UartState): boolean => (uart.lcr & LCR.divisorLatch) !== 0;
export const hasFifos = (uart: UartState): boolean => (uart.fcr & FCR.enable) !== 0;
export const isLooped = (uart: UartState): boolean => (uart.mcr & MCR.loop) !== 0;
/** Bytes in the FIFO that interrupt. */
export const triggerLevel = (uart: UartState): number => TRIGGER_LEVELS[uart.fcr >> 6]!;
