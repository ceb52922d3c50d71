/** 16550A registers and their bits. National Semiconductor PC16550D data sheet, Table II. */

/** Offsets. 0 and 1 are the divisor latch while LCR.DLAB is set; 2 reads IIR and writes FCR. */
export const REGISTER = { data: 0, ier: 1, iirFcr: 2, lcr: 3, mcr: 4, lsr: 5, msr: 6, scr: 7 } as const;

/** Interrupt enable register. */
export const IER = { receivedData: 0x01, transmitterEmpty: 0x02, lineStatus: 0x04, modemStatus: 0x08 } as const;

/** Interrupt identification register: the low four bits. */
export const IIR = {
  none: 0x01,
  modemStatus: 0x00,
  transmitterEmpty: 0x02,
  receivedData: 0x04,
  lineStatus: 0x06,
  characterTimeout: 0x0c,
  id: 0x06,
  fifosEnabled: 0xc0,
} as const;

/** FIFO control register. Bits 0, 3, 6 and 7 stay; the clear bits act once. */
export const FCR = { enable: 0x01, clearReceiver: 0x02, clearTransmitter: 0x04, kept: 0xc9 } as const;

/** Line control register. */
export const LCR = { stopBits: 0x04, parity: 0x08, breakControl: 0x40, divisorLatch: 0x80 } as const;

/** Modem control register. */
export const MCR = { dtr: 0x01, rts: 0x02, out1: 0x04, out2: 0x08, loop: 0x10, implemented: 0x1f } as const;

/** Line status register. */
export const LSR = {
  dataReady: 0x01,
  overrun: 0x02,
  parity: 0x04,
  framing: 0x08,
  breakInterrupt: 0x10,
  holdingEmpty: 0x20,
  transmitterEmpty: 0x40,
  interrupting: 0x1e,
} as const;

/** Modem status register. */
export const MSR = { cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80, deltas: 0x0f } as const;

/** Depth of the receiver FIFO in bytes. */
export const FIFO_DEPTH = 16;

/** Receiver FIFO trigger levels by FCR bits 7:6. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

/** Bits per second at divisor 1: the 1.8432 MHz crystal over 16. */
export const BAUD_BASE = 115200;
