/** More regions than any device has: keeps the numbers of leaves apart. */
const REGIONS_LIMIT = 16;

/** A device's region as events of register accesses number it: `mr`. 0: nobody answers. */
export const regionNumber = (part: number, region: number): number => part * REGIONS_LIMIT + region + 1;

/** The part and region such a number stands for; undefined: none. */
export const regionOf = (mr: number): { readonly part: number; readonly region: number } | undefined =>
  mr === 0 ? undefined : { part: Math.floor((mr - 1) / REGIONS_LIMIT), region: (mr - 1) % REGIONS_LIMIT };
