/** What was in an image file before anybody wrote. */
export interface Original {
  read(offset: number, length: number): Uint8Array;
}

const SECTOR = 512;
const ZEROES = new Uint8Array(SECTOR);

/** A disk as the requests alone make it. */
export class DiskShadow {
  readonly #original: Original;
  readonly #written = new Map<number, Uint8Array>();

  constructor(original: Original) {
    this.#original = original;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += SECTOR) {
      this.#written.set((offset + at) / SECTOR, bytes.slice(at, at + SECTOR));
    }
  }

  clear(offset: number, length: number): void {
    for (let at = 0; at < length; at += SECTOR) this.#written.set((offset + at) / SECTOR, ZEROES);
  }

  /** What a read gives: each sector as it was last written. */
  read(offset: number, length: number): Uint8Array {
    const bytes = this.#original.read(offset, length);
    for (let at = 0; at < length; at += SECTOR) {
      const written = this.#written.get((offset + at) / SECTOR);
      if (written !== undefined) bytes.set(written, at);
    }
    return bytes;
  }

  /** Sectors somebody wrote, in order. */
  get sectors(): readonly number[] {
    return [...this.#written.keys()].sort((a, b) => a - b);
  }
}
