import { dmaBeside, type PciBar } from '../pci/index.ts';
import { R, WINDOW_BYTES } from './registers.ts';
import { registerOf, type Rtl8139Registers } from './state.ts';

/** BAR 1: the same registers as in ports. */
export const MEMORY_BAR: PciBar = { index: 1, region: 1, space: 'memory', size: WINDOW_BYTES };

/** What the controller reaches of memory. */
export const { read: readMemory, write: writeMemory } = dmaBeside(MEMORY_BAR);

/** An address in two registers, the lower half first. Beyond 2^53 it is not exact; no memory is there. */
export const addressIn = (nic: Rtl8139Registers, offset: number): number =>
  registerOf(nic, offset + 4) * 2 ** 32 + registerOf(nic, offset);

/** Where the rings of the C+ mode are. */
export const RING = { sent: R.TSAD, received: R.RDSAR } as const;
