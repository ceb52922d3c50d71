import type { Device } from '../device.ts';
import type { Driver } from '../driver.ts';
import { readData, readSignature, writeRegister } from './decide.ts';
import { FW_CFG_REDUCER } from './evolve.ts';
import { type FwCfgItems, type FwCfgState, fwCfgAtReset, REGISTERS } from './state.ts';

export type { FwCfgItems, FwCfgState } from './state.ts';

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
    write: (state, region, offset, size, value, effects) =>
      writeRegister(items, state, { region, offset, size, value }, effects),
    describe: (state) => ({
      key: state.key < 0 ? 'none' : `0x${state.key.toString(16)}`,
      offset: `${state.offset} of ${items.get(state.key)?.length ?? 0}`,
    }),
  };
}

/** What it has to tell. */
interface FwCfgSetup {
  readonly items: FwCfgItems;
}

/** On the board of every `pc`. */
export const driver: Driver<FwCfgState, FwCfgSetup> = {
  name: 'fw_cfg_io',
  description: 'Firmware configuration',
  bus: 'System',
  category: 'Misc',
  create: ({ items }) => fwCfg(items),
  atReset: fwCfgAtReset,
  reducer: FW_CFG_REDUCER,
};
