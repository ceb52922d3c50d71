import { UNARMED } from '../device.ts';
import { BAUD_BASE, LSR, MCR, MSR } from './registers.ts';

/** A 16550A between two accesses. */
export interface UartState {
  /** Which serial line of the machine this is: 0 is COM1. */
  readonly line: number;
  divisor: number;
  ier: number;
  /** The low four bits of IIR; bits 7:6 follow from FCR. */
  iir: number;
  fcr: number;
  lcr: number;
  mcr: number;
  lsr: number;
  msr: number;
  scr: number;
  /** RBR while the FIFOs are off. */
  receiverBuffer: number;
  receiverFifo: number[];
  transmitterEmptyPending: boolean;
  timeoutPending: boolean;
  timeoutDue: number;
  /** Bytes on the wire that the receiver has no room for yet. */
  waiting: number[];
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
    timeoutDue: UNARMED,
    waiting: [],
  };
}
