import type { Draft } from '../../base/draft.ts';
import type { Device, Effects } from '../device.ts';
import { type ConfigByte, type ConfigRange, getConfig, putConfig } from './config-space.ts';
import { capabilityBytes, capabilityOf, type Placed, writableIn } from './capabilities.ts';
import { NO_CAUSE } from './message.ts';
import { msiWritten, resetMsi } from './msi.ts';
import { type MsixSpace, msixAtReset, resetMsix } from './msix.ts';

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
  rom: 0x30,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  deviceSpecific: 0x40,
} as const;

/** Command register bits. PCI 3.0, 6.2.2. */
export const COMMAND = { io: 0x001, memory: 0x002, busMaster: 0x004, serr: 0x100, interruptDisable: 0x400 } as const;

/** Low byte of the status register. PCI 3.0, 6.2.3. */
const STATUS = { interrupt: 0x08, capabilities: 0x10 } as const;

/** Every PCI function's state begins with its 256 bytes of configuration space. */
export interface PciFunctionState extends MsixSpace {
  /** Of a function with MSI: for each vector that waits, the event that raised it. */
  readonly msiCauses?: readonly number[];
}

/** A base address register. */
export interface PciBar {
  /** 6: the expansion ROM's. */
  readonly index: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  /** The region that lies at its beginning. Others say in which BAR they lie themselves. */
  readonly region?: number;
  readonly space: 'io' | 'memory';
  /** A power of two, at least 4 (io) or 16 (memory). */
  readonly size: number;
  readonly width?: 32 | 64;
  readonly prefetchable?: boolean;
}

/** What a guest can change of a configuration space, and which of it places regions. */
export interface ConfigLayout {
  readonly bars: readonly PciBar[];
  /** What lies from 0x40 on; all else there a guest can write, as in QEMU. */
  readonly capabilities?: readonly Placed[];
  /** Device-specific bytes that move regions or reshape guest memory when they change. */
  readonly mapping?: readonly ConfigRange[];
}

/** A device that lives in one slot and function of a PCI bus. Its INTx pin, if any, is called 'intx'. */
export interface PciFunction<S extends PciFunctionState> extends Device<S>, ConfigLayout {
  /** Where a region without BAR lies now; undefined: nowhere, or at its fixed base. */
  place?(state: S, region: number): number | undefined;
  /** Before configuration space is read: what the function puts there by its own facts. */
  configRead?(state: S, offset: number, size: number, effects: Effects): void;
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
export function configAtReset(
  identity: PciIdentity,
  bars: readonly PciBar[] = [],
  capabilities: readonly Placed[] = [],
): number[] {
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
  for (const bar of bars) config[barOffset(bar)] = barFlags(bar);
  const last = capabilities.at(-1);
  if (last !== undefined) {
    config[PCI.status]! |= STATUS.capabilities;
    config[PCI.capabilities] = last.offset;
  }
  for (const [offset, byte] of capabilityBytes(capabilities)) config[offset] = byte;
  for (const [offset, byte] of identity.bytes ?? []) config[offset] = byte;
  return config;
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
  const msi = capabilityOf(layout.capabilities, 'msi');
  if (msi !== undefined && offset < msi.offset + msi.size && offset + size > msi.offset) msiWritten(state, msi);
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
  const inside = pci.regions[region]!.bar;
  if (inside !== undefined) return insideBar(pci, state, inside);
  return pci.place?.(state, region) ?? pci.regions[region]!.base;
}

function insideBar(
  { bars }: ConfigLayout,
  { config }: PciFunctionState,
  { index, offset }: { readonly index: number; readonly offset: number },
): number | undefined {
  const bar = bars.find((candidate) => candidate.index === index);
  const base = bar === undefined ? undefined : barBase(config, bar);
  return base === undefined ? undefined : base + offset;
}

/** Where the range of a BAR lies now; undefined: nothing decodes it. */
export const placeOfBar = ({ config }: PciFunctionState, bar: PciBar): number | undefined => barBase(config, bar);

/** Whether the function's pin reaches nobody: PCI 3.0, 6.2.2, bit 10. */
export function isIntxDisabled({ config }: PciFunctionState): boolean {
  return (config[PCI.command + 1]! & (COMMAND.interruptDisable >> 8)) !== 0;
}

/** The status register tells what the pin carries, whether it is disabled or not. */
export function intxDriven({ config }: Draft<PciFunctionState>, high: boolean): void {
  const status = config[PCI.status]!;
  config[PCI.status] = high ? status | STATUS.interrupt : status & ~STATUS.interrupt;
}

/** Whether the function may do DMA. */
export function isBusMaster(state: PciFunctionState): boolean {
  return (state.config[PCI.command]! & COMMAND.busMaster) !== 0;
}

const barFlags = (bar: PciBar): number =>
  bar.space === 'io' ? 1 : (bar.width === 64 ? 4 : 0) | (bar.prefetchable ? 8 : 0);

const inRange = (ranges: readonly ConfigRange[] | undefined, at: number): boolean =>
  ranges?.some(([first, last]) => at >= first && at <= last) ?? false;

const ROM_INDEX = 6;
const ROM_ENABLE = 1;

const barOffset = ({ index }: PciBar): number => (index === ROM_INDEX ? PCI.rom : PCI.bar0 + 4 * index);

const isBar = (at: number): boolean => (at >= PCI.bar0 && at < PCI.bar0 + 24) || (at >= PCI.rom && at < PCI.rom + 4);

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
  return writableIn(layout.capabilities ?? [], at) ?? 0xff;
}

function writableBarBits(bars: readonly PciBar[], at: number): number {
  const low = bars.find((bar) => at >= barOffset(bar) && at < barOffset(bar) + 4);
  if (low === undefined) return bars.some((bar) => bar.width === 64 && isHighHalf(bar, at)) ? 0xff : 0;
  const byte = at - barOffset(low);
  const enable = low.index === ROM_INDEX && byte === 0 ? ROM_ENABLE : 0;
  return ((-low.size >> (8 * byte)) & 0xff) | enable;
}

const isHighHalf = (bar: PciBar, at: number): boolean => at >= barOffset(bar) + 4 && at < barOffset(bar) + 8;

/** Beyond the widest physical address nothing can be reached: what is written while a BAR is sized. */
const LAST_ADDRESS = 2 ** 52 - 1;

/** The last address of a BAR must lie below this. All ones is a BAR being sized, whatever its width. */
function limitOf({ space, width }: PciBar): number {
  if (space === 'io') return 0x1_0000;
  return width === 64 ? LAST_ADDRESS : 0xffff_ffff;
}

function barBase(config: readonly number[], bar: PciBar): number | undefined {
  const enable = bar.space === 'io' ? COMMAND.io : COMMAND.memory;
  if ((config[PCI.command]! & enable) === 0) return undefined;
  const offset = barOffset(bar);
  const low = getConfig(config, offset, 4);
  if (bar.index === ROM_INDEX && (low & ROM_ENABLE) === 0) return undefined;
  const aligned = low - (low % bar.size);
  const base = bar.width === 64 ? getConfig(config, offset + 4, 4) * 2 ** 32 + aligned : aligned;
  // Zero is a BAR that was never placed.
  return base === 0 || base + bar.size - 1 >= limitOf(bar) ? undefined : base;
}

/** What RST# does to the standard header of any function; the model's own registers are its `reset`'s business. */
export function resetConfig(state: Draft<PciFunctionState>, bars: readonly PciBar[]): void {
  const { config } = state;
  putConfig(config, PCI.command, 2, 0);
  config[PCI.cacheLineSize] = 0;
  config[PCI.interruptLine] = 0;
  for (const bar of bars) {
    putConfig(config, barOffset(bar), 4, barFlags(bar));
    if (bar.width === 64) putConfig(config, barOffset(bar) + 4, 4, 0);
  }
}

/** State of a function's header and capabilities at power-on. */
export function functionAtReset(identity: PciIdentity, { bars, capabilities = [] }: ConfigLayout): PciFunctionState {
  const msi = capabilityOf(capabilities, 'msi');
  const msix = capabilityOf(capabilities, 'msix');
  return {
    config: configAtReset(identity, bars, capabilities),
    ...(msix === undefined ? {} : { msix: msixAtReset(msix) }),
    ...(msi === undefined ? {} : { msiCauses: new Array<number>(msi.vectors).fill(NO_CAUSE) }),
  };
}

/** What RST# does to header and capabilities. */
export function resetFunction(state: Draft<PciFunctionState>, { bars, capabilities }: ConfigLayout): void {
  resetConfig(state, bars);
  const msi = capabilityOf(capabilities, 'msi');
  const msix = capabilityOf(capabilities, 'msix');
  if (msi !== undefined) {
    resetMsi(state, msi);
    state.msiCauses!.fill(NO_CAUSE);
  }
  if (msix !== undefined) resetMsix(state, msix);
}
