/** Bytes and where they lie. */
export interface Placed {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Room for tables in the BIOS segment, given out from its end down on 16 bytes, as SeaBIOS's `malloc_fseg` does. */
export class TableRoom {
  readonly placed: Placed[] = [];
  #end = TABLES_END;

  /** Give a table its place, which what it holds may depend on. */
  place(length: number, bytesAt: (address: number) => Uint8Array): number {
    const address = Math.floor((this.#end - length) / ALIGNMENT) * ALIGNMENT;
    this.#end = address;
    this.placed.push({ address, bytes: bytesAt(address) });
    return address;
  }
}

/** Where the variables of SeaBIOS 1.16 begin. */
const TABLES_END = 0xf5d00;
const ALIGNMENT = 16;
