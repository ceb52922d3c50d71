import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { configAtReset, type PciBar, type PciFunction, type PciFunctionState, resetConfig } from '../pci/index.ts';
import type { Driver } from '../driver.ts';

/** IDE function with no drive on either channel. */
export interface Piix3IdeState extends PciFunctionState {
  /** Bus master registers of both channels: 16 bytes. */
  readonly busMaster: readonly number[];
}

const BARS: readonly PciBar[] = [{ index: 4, region: 4, space: 'io', size: 16 }];
const PRIMARY = 0;
const SECONDARY = 2;
const BUS_MASTER = 4;
/** Status register of a channel's command block. */
const STATUS = 7;

/** 82371SB function 1 at power-on. */
export function piix3IdeAtReset(): Piix3IdeState {
  const identity = { vendorId: 0x8086, deviceId: 0x7010, classCode: 0x01_01_80, status: 0x0280 };
  return { config: configAtReset(identity, BARS), busMaster: new Array<number>(16).fill(0) };
}

/** IDE controller of the `pc` machine (8086:7010), at 00:01.1. A channel without drives reads zero everywhere. */
export const piix3Ide: PciFunction<Piix3IdeState> = {
  model: 'PIIX3 IDE',
  regions: [
    { name: 'ide', space: 'io', base: 0x1f0, length: 8, minAccess: 1, maxAccess: 4 },
    { name: 'ide', space: 'io', base: 0x3f6, length: 1, minAccess: 1, maxAccess: 1 },
    { name: 'ide', space: 'io', base: 0x170, length: 8, minAccess: 1, maxAccess: 4 },
    { name: 'ide', space: 'io', base: 0x376, length: 1, minAccess: 1, maxAccess: 1 },
    { name: 'piix-bmdma', space: 'io', length: 16, minAccess: 1, maxAccess: 1 },
  ],
  pins: ['irq14', 'irq15'],
  bars: BARS,
  read: (ide, region, offset, _size, effects) => {
    if (region === BUS_MASTER) return readBusMaster(ide, offset);
    // ATA-6, 7.15: reading the status register ends the interrupt, drive or not.
    if (region === PRIMARY && offset === STATUS) effects.pin('irq14', false);
    if (region === SECONDARY && offset === STATUS) effects.pin('irq15', false);
    return 0;
  },
  reset: (_ide, effects) => {
    effects.commit();
    effects.pin('irq14', false);
    effects.pin('irq15', false);
  },
  describe: () => ({ drives: 'none' }),
};

/** Without drives a channel's own registers keep nothing. */
export const PIIX3_IDE_REDUCER: DeviceReducer<Piix3IdeState> = {
  written(ide, { region, offset, value }) {
    if (region === BUS_MASTER) writeBusMaster(ide, offset, value);
  },
  reset(ide) {
    resetConfig(ide, BARS);
    ide.busMaster.fill(0);
  },
};

/** Command (0), status (2) and table address (4-7) of each channel. SFF-8038i. */
function readBusMaster(ide: Piix3IdeState, offset: number): number {
  const register = offset & 7;
  return register === 1 || register === 3 ? 0xff : ide.busMaster[offset]!;
}

function writeBusMaster(ide: Draft<Piix3IdeState>, offset: number, value: number): void {
  const register = offset & 7;
  const old = ide.busMaster[offset]!;
  if (register === 0) ide.busMaster[offset] = value & 0x09;
  else if (register === 2) ide.busMaster[offset] = (value & 0x60) | (old & 0x01) | (old & ~value & 0x06);
  else if (register === 4) ide.busMaster[offset] = value & 0xfc;
  else if (register > 4) ide.busMaster[offset] = value;
}

/** On the board of every `pc`. */
export const driver: Driver<Piix3IdeState, object> = {
  name: 'piix3-ide',
  description: 'IDE controller',
  bus: 'PCI',
  category: 'Storage',
  create: () => piix3Ide,
  atReset: piix3IdeAtReset,
  reducer: PIIX3_IDE_REDUCER,
};
