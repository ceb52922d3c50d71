import type { Draft } from '../../base/draft.ts';
import type { Device, DeviceReducer, Effects, RegisterWrite } from '../../devices/device.ts';
import type { Driver } from '../../devices/driver.ts';

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
const fwCfgAtReset = (): FwCfgState => ({ key: 0, offset: 0, dmaHigh: 0 });

/** Firmware configuration device, I/O port form with DMA. QEMU docs/specs/fw_cfg.rst. */
function fwCfg(items: FwCfgItems): Device<FwCfgState> {
  return {
    model: 'fw_cfg',
    regions: [
      { name: 'fwcfg', space: 'io', base: 0x510, length: 2, minAccess: 1, maxAccess: 2 },
      { name: 'fwcfg.dma', space: 'io', base: 0x514, length: 8, minAccess: 1, maxAccess: 8 },
    ],
    pins: [],
    read: (state, region, offset, size, effects) =>
      region === REGISTERS ? readData(items, state, effects) : readSignature(offset, size),
    write: (state, region, offset, size, value, effects) => {
      const descriptor = descriptorOf(state, { region, offset, size, value });
      effects.commit();
      if (descriptor !== undefined) transfer(items, state, descriptor, effects);
    },
    describe: (state) => ({
      key: state.key < 0 ? 'none' : `0x${state.key.toString(16)}`,
      offset: `${state.offset} of ${items.get(state.key)?.length ?? 0}`,
    }),
  };
}

/** The selector and the DMA address register are plain registers; what a transfer leaves comes by its own fact. */
const FW_CFG_REDUCER: DeviceReducer<FwCfgState> = {
  written(state, { region, offset, size, value }) {
    if (region !== REGISTERS) writeDmaAddress(state, offset, size, value);
    else if (size === 2) Object.assign(state, selected(value));
  },
  taken(state) {
    state.offset += 1;
  },
  reset(state) {
    Object.assign(state, fwCfgAtReset());
  },
  facts: {
    'sim:fw_cfg_dma'(state, { key, offset }) {
      Object.assign(state, { key, offset });
    },
  },
};

/** What it has to tell. */
export interface FwCfgSetup {
  readonly items: FwCfgItems;
}

export const driver: Driver<FwCfgState, FwCfgSetup> = {
  name: 'fw_cfg_io',
  description: 'Firmware configuration',
  bus: 'System',
  category: 'Misc',
  create: ({ items }) => fwCfg(items),
  atReset: fwCfgAtReset,
  reducer: FW_CFG_REDUCER,
};

/** An item from its start. */
const selected = (key: number): Selector => ({ key: (key & KEY_MASK) >= KEY_LIMIT ? NO_KEY : key, offset: 0 });

type Selector = Pick<FwCfgState, 'key' | 'offset'>;

function readData(items: FwCfgItems, state: FwCfgState, effects: Effects): number {
  const byte = items.get(state.key)?.[state.offset];
  if (byte === undefined) return 0;
  effects.commit();
  return byte;
}

/** The DMA register reads as "QEMU CFG", most significant byte first. */
function readSignature(offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + DMA_SIGNATURE.charCodeAt(offset + at);
  return value;
}

/** The high half waits for the low one, which starts the transfer. */
function writeDmaAddress(state: Draft<FwCfgState>, offset: number, size: number, value: number): void {
  if (size !== 4) return;
  if (offset === 0) state.dmaHigh = swap32(value);
  else if (offset === 4) state.dmaHigh = 0;
}

/** The register is big-endian: the descriptor's address arrives byte-swapped, high half first. */
function descriptorOf(state: FwCfgState, { region, offset, size, value }: RegisterWrite): number | undefined {
  if (region === REGISTERS || size !== 4 || offset !== 4) return undefined;
  return state.dmaHigh * 2 ** 32 + swap32(value);
}

/**
 * Carry out the descriptor {control, length, address}, all big-endian, and store what became of it. QEMU
 * hw/nvram/fw_cfg.c, fw_cfg_dma_transfer.
 */
function transfer(items: FwCfgItems, state: FwCfgState, descriptor: number, effects: Effects): void {
  if (effects.dmaReach(descriptor, DESCRIPTOR_BYTES) < DESCRIPTOR_BYTES) {
    conclude(effects, descriptor, true);
    return;
  }
  const bytes = effects.dmaRead(descriptor, DESCRIPTOR_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const control = view.getUint32(0);
  const length = view.getUint32(4);
  const address = Number(view.getBigUint64(8));
  const { key, offset } = control & CONTROL.select ? selected(control >>> 16) : state;
  const item = items.get(key) ?? EMPTY;
  const left = Math.max(0, item.length - offset);
  const moved = Math.min(length, left);
  let failed = false;
  if (control & CONTROL.read) {
    const reach = effects.dmaReach(address, length);
    failed = reach < length;
    if (moved > 0 && reach > 0) effects.dmaWrite(address, item.subarray(offset, offset + Math.min(moved, reach)));
    clear(effects, address + moved, reach - moved);
  } else if (control & CONTROL.write) failed = length > 0;
  const passed = control & (CONTROL.read | CONTROL.skip | CONTROL.write) ? moved : 0;
  effects.raise({ kind: 'sim:fw_cfg_dma', key, offset: offset + passed });
  conclude(effects, descriptor, failed);
}

/** The control word says how it went. */
function conclude(effects: Effects, descriptor: number, failed: boolean): void {
  const word = new Uint8Array([0, 0, 0, failed ? CONTROL.error : 0]);
  if (effects.dmaReach(descriptor, word.length) === word.length) effects.dmaWrite(descriptor, word);
}

/** A guest may ask for zeros all over its memory. */
function clear(effects: Effects, from: number, length: number): void {
  for (let done = 0; done < length; done += MOST_ZEROS) {
    effects.dmaWrite(from + done, new Uint8Array(Math.min(MOST_ZEROS, length - done)));
  }
}

const swap32 = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

const DESCRIPTOR_BYTES = 16;
const MOST_ZEROS = 2 ** 20;
const REGISTERS = 0;
const DMA_SIGNATURE = 'QEMU CFG';
const CONTROL = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
/** Key bits without "write" (0x4000) and "architecture" (0x8000). */
const KEY_MASK = 0x3fff;
/** First file key 0x20 and 32 file slots. */
const KEY_LIMIT = 0x40;
const NO_KEY = -1;
const EMPTY = new Uint8Array();
