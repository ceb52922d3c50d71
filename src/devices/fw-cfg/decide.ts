import type { Effects, RegisterWrite } from '../device.ts';
import { type FwCfgItems, type FwCfgState, REGISTERS, selected, swap32 } from './state.ts';

/** The next byte of the selected item. */
export function readData(items: FwCfgItems, state: FwCfgState, effects: Effects): number {
  const byte = items.get(state.key)?.[state.offset];
  if (byte === undefined) return 0;
  effects.commit();
  return byte;
}

/** The DMA register reads as "QEMU CFG", most significant byte first. */
export function readSignature(offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + DMA_SIGNATURE.charCodeAt(offset + at);
  return value;
}

/** The low half of the DMA descriptor's address starts the transfer. */
export function writeRegister(items: FwCfgItems, state: FwCfgState, access: RegisterWrite, effects: Effects): void {
  const descriptor = descriptorOf(state, access);
  effects.commit();
  if (descriptor !== undefined) transfer(items, state, descriptor, effects);
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

const DESCRIPTOR_BYTES = 16;
const MOST_ZEROS = 2 ** 20;
const DMA_SIGNATURE = 'QEMU CFG';
const CONTROL = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
const EMPTY = new Uint8Array();
