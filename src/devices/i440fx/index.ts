import type { PciFunction } from '../pci/index.ts';
import { pamSegments, smramControl } from './memory-map.ts';
import { CONFIG_ADDRESS, type I440fxState } from './state.ts';
import type { Driver } from '../driver.ts';
import { I440FX_REDUCER } from './evolve.ts';
import { type I440fxOptions, i440fxAtReset } from './state.ts';

export { I440FX_REDUCER } from './evolve.ts';
export { type PamSegment, pamSegments, smramControl } from './memory-map.ts';
export { type I440fxState, i440fxAtReset } from './state.ts';

/**
 * Host bridge of the `pc` machine. Region 0 is CONFIG_ADDRESS; region 1, CONFIG_DATA, is the bus's: it looks up
 * `configTarget(state.configAddress, offset)` and goes to that function. Its own read answers as no function does.
 */
export const i440fx: PciFunction<I440fxState> = {
  model: 'i440FX',
  regions: [
    { name: 'pci-conf-idx', space: 'io', base: 0xcf8, length: 4, minAccess: 1, maxAccess: 4 },
    { name: 'pci-conf-data', space: 'io', base: 0xcfc, length: 4, minAccess: 1, maxAccess: 4 },
  ],
  pins: [],
  bars: [],
  mapping: [
    [0x59, 0x5f],
    [0x72, 0x72],
  ],
  read: (bridge, region, offset, size) => {
    if (region === CONFIG_ADDRESS && offset === 0 && size === 4) return bridge.configAddress;
    return 2 ** (8 * size) - 1;
  },
  describe: (bridge) => ({
    'config address': `0x${bridge.configAddress.toString(16)}`,
    smram: JSON.stringify(smramControl(bridge)),
    pam: pamSegments(bridge)
      .map((s) => `${s.base.toString(16)}:${s.readsRam ? 'r' : '-'}${s.writesRam ? 'w' : '-'}`)
      .join(' '),
  }),
};

/** On the board of every `pc`. */
export const driver: Driver<I440fxState, I440fxOptions> = {
  name: 'i440FX',
  description: 'Host bridge',
  bus: 'PCI',
  category: 'Controller/Bridge/Hub',
  create: () => i440fx,
  atReset: i440fxAtReset,
  reducer: I440FX_REDUCER,
};
