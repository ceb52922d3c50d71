/** Bytes and where they lie. */
export interface Placed {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Place a table below what begins at `end`, on 16 bytes: SeaBIOS gives its segment out so, from the end down. */
export function placedBelow(end: number, bytes: Uint8Array): Placed {
  return { address: Math.floor((end - bytes.length) / ALIGNMENT) * ALIGNMENT, bytes };
}

/** Where the variables of SeaBIOS 1.16 begin: its tables end here. */
export const TABLES_END = 0xf5d00;
const ALIGNMENT = 16;
