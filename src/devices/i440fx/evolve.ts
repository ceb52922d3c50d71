import type { DeviceReducer } from '../device.ts';
import { resetConfig } from '../pci/index.ts';
import { CONFIG_ADDRESS, type I440fxState } from './state.ts';

/** What facts do to the host bridge. */
export const I440FX_REDUCER: DeviceReducer<I440fxState> = {
  written(bridge, { region, offset, size, value }) {
    if (region === CONFIG_ADDRESS && offset === 0 && size === 4) bridge.configAddress = value >>> 0;
  },
  /** PAM and SMRAM survive: SeaBIOS finds the shadow it left and copies itself anew. */
  reset(bridge) {
    resetConfig(bridge, []);
    bridge.configAddress = 0;
  },
};
