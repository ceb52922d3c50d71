import type { RomRole } from '../world.ts';

/** The role of the file that `romfile=` of the n-th `-device` names. */
export const romRole = (index: number): RomRole => `rom${index}`;

export const isRom = (role: string): role is RomRole => /^rom\d+$/.test(role);
