/** Registers of a PC's two 8237A, and the page registers beside them. Intel 8237A data sheet; IBM PC AT. */

/** Each controller's regions: channels, control, two ranges of page registers. */
export const REGIONS = [
  { name: 'dma-chan', space: 'io', base: 0x00, length: 8, minAccess: 1, maxAccess: 1 },
  { name: 'dma-cont', space: 'io', base: 0x08, length: 8, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x81, length: 3, minAccess: 1, maxAccess: 4 },
  { name: 'dma-page', space: 'io', base: 0x87, length: 1, minAccess: 1, maxAccess: 4 },
  { name: 'dma-chan', space: 'io', base: 0xc0, length: 16, minAccess: 1, maxAccess: 1 },
  { name: 'dma-cont', space: 'io', base: 0xd0, length: 16, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x89, length: 3, minAccess: 1, maxAccess: 4 },
  { name: 'dma-page', space: 'io', base: 0x8f, length: 1, minAccess: 1, maxAccess: 4 },
] as const;

/** The port of a register within its region: of the second controller every second one is used. */
export interface DmaPort {
  readonly controller: number;
  readonly kind: 'channel' | 'control' | 'page';
  /** For a page register the channel it belongs to. */
  readonly at: number;
}

/** Page registers' odd order: x1 is channel 2, x2 channel 3, x3 channel 1, x7 channel 0. */
const PAGE_CHANNELS = [2, 3, 1] as const;

/**
 * Offsets of the page registers that an access reaches: both bytes of a word, as far as the region goes, and none of
 * anything wider. QEMU system/ioport.c, portio_read and portio_write.
 */
export function pagesReached(region: number, offset: number, size: number): readonly number[] {
  if (size > 2) return [];
  return size === 2 && offset + 1 < REGIONS[region]!.length ? [offset, offset + 1] : [offset];
}

/** Which register an offset in a region names. */
export function portOf(region: number, offset: number): DmaPort {
  const controller = region >> 2;
  switch (region & 3) {
    case 0:
      return { controller, kind: 'channel', at: offset >> controller };
    case 1:
      return { controller, kind: 'control', at: offset >> controller };
    case 2:
      return { controller, kind: 'page', at: PAGE_CHANNELS[offset]! };
    default:
      return { controller, kind: 'page', at: 0 };
  }
}

/** Control registers that read as something. */
export const CONTROL = { status: 0, mask: 1 } as const;

/** Status bits 3:0, terminal count of each channel: reading clears them. */
export const TERMINAL_COUNTS = 0x0f;
