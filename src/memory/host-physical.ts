import type { Hpa, Hva } from '../base/units.ts';

/**
 * Where host memory lies in host-physical space: HPA = HVA + this. The host never moves or swaps a page, so the
 * mapping is one addition; it starts above 4 GiB so that nobody mistakes a host-physical address for a guest's.
 */
export const HOST_PHYSICAL_BASE = 0x1_0000_0000;

/** Host-physical address of a host-virtual one. */
export const hostPhysical = (hva: Hva): Hpa => hva + HOST_PHYSICAL_BASE;

/** Host-virtual address of a host-physical one. */
export const hostVirtual = (hpa: Hpa): Hva => hpa - HOST_PHYSICAL_BASE;
