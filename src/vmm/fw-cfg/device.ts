import type { Device, Effects } from '../../devices/device.ts';

/** Where the guest is in the configuration items. */
export interface FwCfgState {
  /** Selected key, or -1 after a key that cannot exist. */
  key: number;
  offset: number;
  /** High half of the DMA descriptor's address, set by the first of two writes. */
  dmaHigh: number;
}

/** Contents by key; a key that is not there reads zeros. */
export type FwCfgItems = ReadonlyMap<number, Uint8Array>;

/** The selector after reset: the signature, from its start. */
export const fwCfgAtReset = (): FwCfgState => ({ key: 0, offset: 0, dmaHigh: 0 });

/** Firmware configuration device, I/O port form with DMA. QEMU docs/specs/fw_cfg.rst. */
export function fwCfg(items: FwCfgItems): Device<FwCfgState> {
  return {
    model: 'fw_cfg',
    regions: [
      { name: 'fwcfg', space: 'io', base: 0x510, length: 2, minAccess: 1, maxAccess: 2 },
      { name: 'fwcfg.dma', space: 'io', base: 0x514, length: 8, minAccess: 1, maxAccess: 8 },
    ],
    pins: [],
    read: (state, region, offset, size) =>
      region === REGISTERS ? readData(items, state) : readSignature(offset, size),
    write: (state, region, offset, size, value, effects) => {
      if (region === REGISTERS) {
        if (size === 2) select(state, value);
      } else writeDma(items, state, offset, size, value, effects);
    },
    reset: (state) => Object.assign(state, fwCfgAtReset()),
    describe: (state) => ({
      key: state.key < 0 ? 'none' : `0x${state.key.toString(16)}`,
      offset: `${state.offset} of ${items.get(state.key)?.length ?? 0}`,
    }),
  };
}

function select(state: FwCfgState, key: number): void {
  state.offset = 0;
  state.key = (key & KEY_MASK) >= KEY_LIMIT ? NO_KEY : key;
}

function readData(items: FwCfgItems, state: FwCfgState): number {
  const item = items.get(state.key);
  if (item === undefined || state.offset >= item.length) return 0;
  return item[state.offset++]!;
}

/** The DMA register reads as "QEMU CFG", most significant byte first. */
function readSignature(offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + DMA_SIGNATURE.charCodeAt(offset + at);
  return value;
}

/** The register is big-endian: the descriptor's address arrives byte-swapped, high half first. */
function writeDma(
  items: FwCfgItems,
  state: FwCfgState,
  offset: number,
  size: number,
  value: number,
  effects: Effects,
): void {
  if (size === 4 && offset === 0) state.dmaHigh = swap32(value);
  else if (size === 4 && offset === 4) {
    const address = state.dmaHigh * 2 ** 32 + swap32(value);
    state.dmaHigh = 0;
    transfer(items, state, address, effects);
  }
}

/** Carry out the descriptor {control, length, address}, all big-endian, and store what became of it. */
function transfer(items: FwCfgItems, state: FwCfgState, descriptor: number, effects: Effects): void {
  const bytes = effects.dmaRead(descriptor, 16);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const control = view.getUint32(0);
  const length = view.getUint32(4);
  const address = Number(view.getBigUint64(8));
  if (control & CONTROL.select) select(state, control >>> 16);
  const item = items.get(state.key) ?? EMPTY;
  const left = Math.max(0, item.length - state.offset);
  const moved = Math.min(length, left);
  let failed = false;
  if (control & CONTROL.read) {
    if (moved > 0) effects.dmaWrite(address, item.subarray(state.offset, state.offset + moved));
    if (length > moved) effects.dmaWrite(address + moved, new Uint8Array(length - moved));
  } else if (control & CONTROL.write) failed = length > 0;
  if (control & (CONTROL.read | CONTROL.skip | CONTROL.write)) state.offset += moved;
  effects.dmaWrite(descriptor, new Uint8Array([0, 0, 0, failed ? CONTROL.error : 0]));
}

const swap32 = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

const REGISTERS = 0;
const DMA_SIGNATURE = 'QEMU CFG';
const CONTROL = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
/** Key bits without "write" (0x4000) and "architecture" (0x8000). */
const KEY_MASK = 0x3fff;
/** First file key 0x20 and 32 file slots. */
const KEY_LIMIT = 0x40;
const NO_KEY = -1;
const EMPTY = new Uint8Array();
