/** Where the guest is in the configuration items. */
export interface FwCfgState {
  /** Selected key, or -1 after a key that cannot exist. */
  readonly key: number;
  readonly offset: number;
  /** High half of the DMA descriptor's address, set by the first of two writes. */
  readonly dmaHigh: number;
}

/** Contents by key; a key that is not there reads zeros. */
export type FwCfgItems = ReadonlyMap<number, Uint8Array>;

/** The selector after reset: the signature, from its start. */
export const fwCfgAtReset = (): FwCfgState => ({ key: 0, offset: 0, dmaHigh: 0 });

/** Which region of the device the selector and the data register are. */
export const REGISTERS = 0;

/** An item from its start. */
export const selected = (key: number): Selector => ({ key: (key & KEY_MASK) >= KEY_LIMIT ? NO_KEY : key, offset: 0 });

type Selector = Pick<FwCfgState, 'key' | 'offset'>;

/** The DMA address register is big-endian: what arrives is byte-swapped. */
export const swap32 = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

/** Key bits without "write" (0x4000) and "architecture" (0x8000). */
const KEY_MASK = 0x3fff;
/** First file key 0x20 and 32 file slots. */
const KEY_LIMIT = 0x40;
const NO_KEY = -1;
