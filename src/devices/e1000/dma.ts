import { dmaBeside, type PciBar } from '../pci/index.ts';
import { MMIO_BYTES } from './registers.ts';

/** BAR 0. */
export const REGISTERS_BAR: PciBar = { index: 0, region: 0, space: 'memory', size: MMIO_BYTES };

/** What the controller reaches of memory. */
export const { read: readMemory, write: writeMemory } = dmaBeside(REGISTERS_BAR);
