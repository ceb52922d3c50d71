/** The MSI capability. PCI 3.0, 6.8.1; what QEMU 7.2 makes of it: hw/pci/msi.c. */
import type { Draft } from '../../base/draft.ts';
import { bytesAt, type MsiRow, type Placed } from './capabilities.ts';
import { type ConfigSpace, getConfig, putConfig } from './config-space.ts';
import type { Message } from './message.ts';

const ID = 0x05;
/** Message control, a word at 2. */
const CONTROL = { at: 2, enable: 0x01, multiple: 0x70, is64: 0x80, perVectorMask: 0x100 } as const;
const ADDRESS = 4;
const ADDRESS_HIGH = 8;

/** What a function says of its messages. */
export interface MsiOptions {
  /** 1, 2, 4 ... 32. */
  readonly vectors: number;
  readonly is64?: boolean;
  readonly perVectorMask?: boolean;
  readonly offset?: number;
}

/** A function may raise `vectors` interrupts by messages, once a guest has said to which address. */
export function msi({ vectors, is64 = true, perVectorMask = false, offset }: MsiOptions): MsiRow {
  const places = placesOf({ is64 });
  const capable = Math.log2(vectors) << 1;
  const control = capable | (is64 ? CONTROL.is64 : 0) | (perVectorMask ? CONTROL.perVectorMask : 0);
  return {
    kind: 'msi',
    id: ID,
    size: perVectorMask ? places.pending + 4 : places.data + 2,
    ...(offset === undefined ? {} : { offset }),
    bytes: bytesAt(CONTROL.at, 2, control),
    writable: [
      [CONTROL.at, CONTROL.multiple | CONTROL.enable],
      ...bytesAt(ADDRESS, 4, 0xffff_fffc),
      ...(is64 ? bytesAt(ADDRESS_HIGH, 4, 0xffff_ffff) : []),
      ...bytesAt(places.data, 2, 0xffff),
      ...(perVectorMask ? bytesAt(places.mask, 4, 2 ** vectors - 1) : []),
    ],
    vectors,
    is64,
    perVectorMask,
  };
}

const placesOf = ({ is64 }: { readonly is64: boolean }) =>
  is64 ? { data: 12, mask: 16, pending: 20 } : { data: 8, mask: 12, pending: 16 };

const controlOf = (state: ConfigSpace, { offset }: Placed<MsiRow>): number =>
  getConfig(state.config, offset + CONTROL.at, 2);

/** Whether interrupts go out as messages. */
export const isMsiOn = (state: ConfigSpace, row: Placed<MsiRow>): boolean =>
  (controlOf(state, row) & CONTROL.enable) !== 0;

const enabledVectors = (state: ConfigSpace, row: Placed<MsiRow>): number =>
  2 ** ((controlOf(state, row) & CONTROL.multiple) >> 4);

const word = (state: ConfigSpace, row: Placed<MsiRow>, place: 'mask' | 'pending'): number =>
  getConfig(state.config, row.offset + placesOf(row)[place], 4);

/** Whether a vector's message has to wait. */
export const isMsiMasked = (state: ConfigSpace, row: Placed<MsiRow>, vector: number): boolean =>
  row.perVectorMask && (word(state, row, 'mask') & (1 << vector)) !== 0;

export const isMsiPending = (state: ConfigSpace, row: Placed<MsiRow>, vector: number): boolean =>
  row.perVectorMask && (word(state, row, 'pending') & (1 << vector)) !== 0;

/** The message of a vector: with more than one, the low bits of the data are its number. */
export function msiMessage(state: ConfigSpace, row: Placed<MsiRow>, vector: number): Message {
  const at = (place: number, size: number): number => getConfig(state.config, row.offset + place, size);
  const high = row.is64 ? at(ADDRESS_HIGH, 4) : 0;
  const vectors = enabledVectors(state, row);
  const data = at(placesOf(row).data, 2);
  return {
    address: (BigInt(high) << 32n) | BigInt(at(ADDRESS, 4)),
    data: vectors > 1 ? (data & ~(vectors - 1)) | vector : data,
  };
}

/** A vector waits, or does so no more. */
export function putMsiPending(state: Draft<ConfigSpace>, row: Placed<MsiRow>, vector: number, on: boolean): void {
  const before = word(state, row, 'pending');
  const after = on ? before | (1 << vector) : before & ~(1 << vector);
  putConfig(state.config, row.offset + placesOf(row).pending, 4, after >>> 0);
}

/** A guest wrote to the capability: more vectors than there are become those; what waits for others is lost. */
export function msiWritten(state: Draft<ConfigSpace>, row: Placed<MsiRow>): void {
  if (!isMsiOn(state, row)) return;
  const most = Math.log2(row.vectors) << 4;
  const control = controlOf(state, row);
  if ((control & CONTROL.multiple) > most) {
    putConfig(state.config, row.offset + CONTROL.at, 2, (control & ~CONTROL.multiple) | most);
  }
  if (!row.perVectorMask) return;
  const kept = 2 ** enabledVectors(state, row) - 1;
  putConfig(state.config, row.offset + placesOf(row).pending, 4, (word(state, row, 'pending') & kept) >>> 0);
}

/** RST#. */
export function resetMsi(state: Draft<ConfigSpace>, row: Placed<MsiRow>): void {
  const control = controlOf(state, row) & ~(CONTROL.multiple | CONTROL.enable);
  for (let at = ADDRESS; at < row.size; at++) state.config[row.offset + at] = 0;
  putConfig(state.config, row.offset + CONTROL.at, 2, control);
}
