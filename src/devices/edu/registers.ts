/** Registers of QEMU's edu device. QEMU 7.2 docs/specs/edu.txt, hw/misc/edu.c. */
export const REGISTER = {
  identification: 0x00,
  liveness: 0x04,
  factorial: 0x08,
  status: 0x20,
  interruptStatus: 0x24,
  interruptRaise: 0x60,
  interruptAcknowledge: 0x64,
  dmaSource: 0x80,
  dmaDestination: 0x88,
  dmaCount: 0x90,
  dmaCommand: 0x98,
} as const;

/** From here on registers have 64 bits, and below 32. */
export const FIRST_WIDE = 0x80;

/** Major version, minor version and "edu". */
export const IDENTIFICATION = 0x0100_00ed;

export const STATUS = { computing: 0x01, interrupts: 0x80 } as const;

export const INTERRUPT = { factorial: 0x001, dma: 0x100 } as const;

/** `toRam`: from the device's buffer to RAM; otherwise the other way. */
export const DMA = { run: 0x1, toRam: 0x2, interrupts: 0x4 } as const;

/** Where the device's buffer lies in the addresses of its DMA engine. */
export const BUFFER = { start: 0x4_0000, size: 4096 } as const;
