import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../device.ts';
import { type FwCfgState, fwCfgAtReset, REGISTERS, selected, swap32 } from './state.ts';

/** The selector and the DMA address register are plain registers; what a transfer leaves comes by its own fact. */
export const FW_CFG_REDUCER: DeviceReducer<FwCfgState> = {
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

/** The high half waits for the low one, which starts the transfer. */
function writeDmaAddress(state: Draft<FwCfgState>, offset: number, size: number, value: number): void {
  if (size !== 4) return;
  if (offset === 0) state.dmaHigh = swap32(value);
  else if (offset === 4) state.dmaHigh = 0;
}
