import type { PciFunctionState } from '../pci/index.ts';

/** How the device is set up. */
export interface EduSetup {
  /** Bits an address of RAM may have. */
  readonly dma_mask: number;
}

/** What the DMA engine is told. Addresses as far as numbers are exact. */
export interface EduDma {
  readonly source: number;
  readonly destination: number;
  readonly count: number;
  readonly command: number;
}

/** The device's own registers. A system reset leaves them. */
export interface EduRegisters {
  readonly liveness: number;
  readonly factorial: number;
  readonly status: number;
  readonly interruptStatus: number;
  readonly dma: EduDma;
  readonly buffer: readonly number[];
}

export type EduState = PciFunctionState & EduRegisters;

/** The thread that computes is done. */
export const FACTORIAL = 'factorial';
/** The DMA engine moves bytes. */
export const TRANSFER = 'dma';
