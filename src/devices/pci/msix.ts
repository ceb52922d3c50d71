/** The MSI-X capability, its table and its pending bits. PCI 3.0, 6.8.2; QEMU 7.2: hw/pci/msix.c. */
import type { Draft } from '../../base/draft.ts';
import type { Region } from '../device.ts';
import { bytesAt, type MsixRow, type Placed } from './capabilities.ts';
import type { ConfigSpace } from './config-space.ts';
import { type Message, NO_CAUSE } from './message.ts';

const ID = 0x11;
const SIZE = 12;
/** High byte of message control. */
const CONTROL = { at: 3, masked: 0x40, enable: 0x80 } as const;
const ENTRY_BYTES = 16;
const ENTRY_WORDS = 4;
const SMALLEST_BAR = 4096;

/** Words of a table entry: address, its high half, data, vector control, of which bit 0 masks. */
const ENTRY = { address: 0, addressHigh: 1, data: 2, control: 3, masked: 1 } as const;

/** Table and pending bits as doublewords, and for each vector that waits what raised it. */
export interface MsixState {
  readonly table: readonly number[];
  readonly pending: readonly number[];
  /** Sequence numbers of events. */
  readonly causes: readonly number[];
}

/** A function that has them. */
export interface MsixSpace extends ConfigSpace {
  readonly msix?: MsixState;
}

/** What a function says of its vectors. */
export interface MsixOptions {
  /** 1 to 2048. */
  readonly vectors: number;
  readonly bar: MsixRow['bar'];
  readonly tableOffset?: number;
  readonly pbaOffset?: number;
  readonly irqfd?: boolean;
  readonly offset?: number;
}

const pbaBytes = (vectors: number): number => Math.ceil(vectors / 64) * 8;

/** A function may raise `vectors` interrupts by messages that a guest writes into a table in `bar`. */
export function msix({ vectors, bar, tableOffset = 0, pbaOffset, irqfd = false, offset }: MsixOptions): MsixRow {
  const pba = pbaOffset ?? Math.max(SMALLEST_BAR / 2, tableOffset + vectors * ENTRY_BYTES);
  return {
    kind: 'msix',
    id: ID,
    size: SIZE,
    ...(offset === undefined ? {} : { offset }),
    bytes: [...bytesAt(2, 2, vectors - 1), ...bytesAt(4, 4, tableOffset | bar), ...bytesAt(8, 4, pba | bar)],
    writable: [[CONTROL.at, CONTROL.enable | CONTROL.masked]],
    vectors,
    bar,
    tableOffset,
    pbaOffset: pba,
    irqfd,
  };
}

/** The BAR of a function that has none of its own at that place. */
export function msixBar({ bar, vectors, pbaOffset }: MsixRow) {
  const least = Math.max(SMALLEST_BAR, pbaOffset + pbaBytes(vectors));
  return { index: bar, space: 'memory' as const, size: 2 ** Math.ceil(Math.log2(least)) };
}

/** The registers: doublewords, and pairs of them. Narrower accesses read zero and write nothing. */
export function msixRegions({ vectors, bar, tableOffset, pbaOffset }: MsixRow): readonly [Region, Region] {
  const shape = { space: 'memory', minAccess: 4, maxAccess: 4, leastAccess: 4 } as const;
  return [
    { name: 'msix-table', length: vectors * ENTRY_BYTES, bar: { index: bar, offset: tableOffset }, ...shape },
    { name: 'msix-pba', length: pbaBytes(vectors), bar: { index: bar, offset: pbaOffset }, ...shape },
  ];
}

/** Every vector masked, none waiting. */
export function msixAtReset({ vectors }: MsixRow): MsixState {
  return {
    table: Array.from({ length: vectors * ENTRY_WORDS }, (_, at) => (at % ENTRY_WORDS === ENTRY.control ? 1 : 0)),
    pending: new Array<number>(pbaBytes(vectors) / 4).fill(0),
    causes: new Array<number>(vectors).fill(NO_CAUSE),
  };
}

/** Whether interrupts go out as messages of the table. */
export const isMsixOn = ({ config }: MsixSpace, { offset }: Placed<MsixRow>): boolean =>
  (config[offset + CONTROL.at]! & CONTROL.enable) !== 0;

/** Whether a vector's message has to wait: its own mask, that of the function, or MSI-X is off. */
export function isMsixMasked(state: MsixSpace, row: Placed<MsixRow>, vector: number): boolean {
  const control = state.config[row.offset + CONTROL.at]!;
  if ((control & (CONTROL.enable | CONTROL.masked)) !== CONTROL.enable) return true;
  return (entryOf(state, vector, ENTRY.control) & ENTRY.masked) !== 0;
}

const entryOf = ({ msix: state }: MsixSpace, vector: number, word: number): number =>
  state!.table[vector * ENTRY_WORDS + word]!;

export const isMsixPending = ({ msix: state }: MsixSpace, vector: number): boolean =>
  (state!.pending[vector >> 5]! & (1 << (vector & 31))) !== 0;

/** What the table says of a vector. */
export const msixMessage = (state: MsixSpace, vector: number): Message => ({
  address: (BigInt(entryOf(state, vector, ENTRY.addressHigh)) << 32n) | BigInt(entryOf(state, vector, ENTRY.address)),
  data: entryOf(state, vector, ENTRY.data),
});

/** A vector waits because of an event, or does so no more. One that waits already keeps its first cause. */
export function putMsixPending(state: Draft<MsixState>, vector: number, on: boolean, cause: number): void {
  const bit = 1 << (vector & 31);
  const before = state.pending[vector >> 5]!;
  state.pending[vector >> 5] = (on ? before | bit : before & ~bit) >>> 0;
  if (!on) state.causes[vector] = NO_CAUSE;
  else if ((before & bit) === 0) state.causes[vector] = cause;
}

/** RST#. */
export function resetMsix(state: Draft<MsixSpace>, row: Placed<MsixRow>): void {
  state.config[row.offset + CONTROL.at]! &= ~(CONTROL.enable | CONTROL.masked);
  Object.assign(state.msix!, msixAtReset(row));
}
