import type { Draft } from '../../base/draft.ts';
import type { Device, Effects } from '../device.ts';

/** Standard configuration registers. PCI Local Bus Specification 3.0, 6.1. */
export const PCI = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  cacheLineSize: 0x0c,
  headerType: 0x0e,
  bar0: 0x10,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  deviceSpecific: 0x40,
} as const;

/** Command register bits. PCI 3.0, 6.2.2. */
export const COMMAND = { io: 0x001, memory: 0x002, busMaster: 0x004, serr: 0x100, interruptDisable: 0x400 } as const;

/** Every PCI function's state begins with its 256 bytes of configuration space. */
export interface PciFunctionState {
  readonly config: readonly number[];
}

/** A base address register and the region of the device it places. */
export interface PciBar {
  readonly index: 0 | 1 | 2 | 3 | 4 | 5;
  readonly region: number;
  readonly space: 'io' | 'memory';
  /** A power of two, at least 4 (io) or 16 (memory). */
  readonly size: number;
  readonly width?: 32 | 64;
  readonly prefetchable?: boolean;
}

/** One byte of configuration space. */
export type ConfigByte = readonly [offset: number, value: number];

/** First and last configuration byte of a range. */
export type ConfigRange = readonly [first: number, last: number];

/** What a guest can change of a configuration space, and which of it places regions. */
export interface ConfigLayout {
  readonly bars: readonly PciBar[];
  /** Device-specific bytes (from 0x40) that ignore writes, capabilities above all. */
  readonly readOnly?: readonly ConfigRange[];
  /** Device-specific bytes that move regions or reshape guest memory when they change. */
  readonly mapping?: readonly ConfigRange[];
}

/** A device that lives in one slot and function of a PCI bus. Its INTx pin, if any, is called 'intx'. */
export interface PciFunction<S extends PciFunctionState> extends Device<S>, ConfigLayout {
  /** Where a region without BAR lies now; undefined: nowhere, or at its fixed base. */
  place?(state: S, region: number): number | undefined;
  /** What follows from a write to the configuration space: the bytes have changed already, by pci_cfg_write. */
  configWritten?(state: S, offset: number, size: number, effects: Effects): void;
}

/** Whether a device is a function of a PCI bus. */
export const isPciFunction = (device: Device<object>): device is PciFunction<PciFunctionState> => 'bars' in device;

/** What is wired into a function's standard header. */
export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly revision?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  readonly status?: number;
  readonly multifunction?: boolean;
  /** 1 = INTA#. 0 or absent: none. */
  readonly interruptPin?: number;
  /** Further bytes. */
  readonly bytes?: readonly ConfigByte[];
}

/** QEMU's subsystem ids, for functions that do not say otherwise. */
const SUBSYSTEM = { vendorId: 0x1af4, id: 0x1100 } as const;

/** Configuration space at power-on. `classCode` is 24 bits: class, subclass, programming interface. */
export function configAtReset(identity: PciIdentity, bars: readonly PciBar[] = []): number[] {
  const config = new Array<number>(256).fill(0);
  putConfig(config, PCI.vendorId, 2, identity.vendorId);
  putConfig(config, PCI.deviceId, 2, identity.deviceId);
  putConfig(config, PCI.status, 2, identity.status ?? 0);
  config[PCI.revision] = identity.revision ?? 0;
  putConfig(config, PCI.classCode, 3, identity.classCode);
  config[PCI.headerType] = identity.multifunction ? 0x80 : 0;
  putConfig(config, PCI.subsystemVendorId, 2, identity.subsystemVendorId ?? SUBSYSTEM.vendorId);
  putConfig(config, PCI.subsystemId, 2, identity.subsystemId ?? SUBSYSTEM.id);
  config[PCI.interruptPin] = identity.interruptPin ?? 0;
  for (const bar of bars) config[PCI.bar0 + 4 * bar.index] = barFlags(bar);
  for (const [offset, byte] of identity.bytes ?? []) config[offset] = byte;
  return config;
}

/** Little-endian bytes of configuration space, without side effects. */
export function getConfig(config: readonly number[], offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + config[offset + at]!;
  return value;
}

/** Put bytes as the device itself would, read-only or not. */
export function putConfig(config: number[], offset: number, size: number, value: number): void {
  for (let at = 0; at < size; at++) config[offset + at] = Math.floor(value / 2 ** (8 * at)) & 0xff;
}

/** pci_cfg_write: a guest's write changes the bits it may change. */
export function configWritten(
  layout: ConfigLayout,
  state: Draft<PciFunctionState>,
  offset: number,
  size: number,
  value: number,
): void {
  const { config } = state;
  for (let at = offset; at < offset + size && at < config.length; at++) {
    config[at] = byteAfter(layout, config[at]!, at, value >>> (8 * (at - offset)));
  }
}

/** Whether a write would move regions or change the shape of guest memory, as the bytes are before it. */
export function movesRegions(
  layout: ConfigLayout,
  state: PciFunctionState,
  offset: number,
  size: number,
  value: number,
): boolean {
  const { config } = state;
  for (let at = offset; at < offset + size && at < config.length; at++) {
    const changes = byteAfter(layout, config[at]!, at, value >>> (8 * (at - offset))) !== config[at];
    if (changes && shapesMapping(layout, at)) return true;
  }
  return false;
}

/** Base of a region now, or undefined while nothing decodes it. */
export function regionBase<S extends PciFunctionState>(
  pci: PciFunction<S>,
  state: S,
  region: number,
): number | undefined {
  const bar = pci.bars.find((candidate) => candidate.region === region);
  if (bar !== undefined) return barBase(state.config, bar);
  return pci.place?.(state, region) ?? pci.regions[region]!.base;
}

/** Whether the function may do DMA. */
export function isBusMaster(state: PciFunctionState): boolean {
  return (state.config[PCI.command]! & COMMAND.busMaster) !== 0;
}

const barFlags = (bar: PciBar): number =>
  bar.space === 'io' ? 1 : (bar.width === 64 ? 4 : 0) | (bar.prefetchable ? 8 : 0);

const inRange = (ranges: readonly ConfigRange[] | undefined, at: number): boolean =>
  ranges?.some(([first, last]) => at >= first && at <= last) ?? false;

const isBar = (at: number): boolean => at >= PCI.bar0 && at < PCI.bar0 + 24;

const shapesMapping = (layout: ConfigLayout, at: number): boolean =>
  at === PCI.command || isBar(at) || inRange(layout.mapping, at);

/** What a byte is once a guest has written it. */
function byteAfter(layout: ConfigLayout, old: number, at: number, written: number): number {
  const mask = writable(layout, at);
  return (old & ~mask) | (written & mask);
}

/** The bits of one byte that a guest can change. */
function writable(layout: ConfigLayout, at: number): number {
  if (at === PCI.command) return COMMAND.io | COMMAND.memory | COMMAND.busMaster;
  if (at === PCI.command + 1) return (COMMAND.serr | COMMAND.interruptDisable) >> 8;
  if (at === PCI.cacheLineSize || at === PCI.interruptLine) return 0xff;
  if (isBar(at)) return writableBarBits(layout.bars, at);
  if (at < PCI.deviceSpecific) return 0;
  return inRange(layout.readOnly, at) ? 0 : 0xff;
}

function writableBarBits(bars: readonly PciBar[], at: number): number {
  const index = (at - PCI.bar0) >> 2;
  const byte = (at - PCI.bar0) & 3;
  const low = bars.find((bar) => bar.index === index);
  if (low !== undefined) return (-low.size >> (8 * byte)) & 0xff;
  const high = bars.find((bar) => bar.width === 64 && bar.index + 1 === index);
  return high === undefined ? 0 : 0xff;
}

function barBase(config: readonly number[], bar: PciBar): number | undefined {
  const enable = bar.space === 'io' ? COMMAND.io : COMMAND.memory;
  if ((config[PCI.command]! & enable) === 0) return undefined;
  const offset = PCI.bar0 + 4 * bar.index;
  const low = getConfig(config, offset, 4);
  const aligned = low - (low % bar.size);
  const base = bar.width === 64 ? getConfig(config, offset + 4, 4) * 2 ** 32 + aligned : aligned;
  const last = base + bar.size - 1;
  // All ones is a BAR being sized, zero one that was never placed.
  if (base === 0 || (bar.width !== 64 && last >= 0xffff_ffff)) return undefined;
  if (bar.space === 'io' && last > 0xffff) return undefined;
  return base;
}

/** What RST# does to the standard header of any function; the model's own registers are its `reset`'s business. */
export function resetConfig(state: Draft<PciFunctionState>, bars: readonly PciBar[]): void {
  const { config } = state;
  putConfig(config, PCI.command, 2, 0);
  config[PCI.cacheLineSize] = 0;
  config[PCI.interruptLine] = 0;
  for (const bar of bars) {
    putConfig(config, PCI.bar0 + 4 * bar.index, 4, barFlags(bar));
    if (bar.width === 64) putConfig(config, PCI.bar0 + 4 * bar.index + 4, 4, 0);
  }
}
