import type { Device } from '../device.ts';
import { readDma } from './decide.ts';
import { REGIONS } from './registers.ts';
import type { DmaState } from './state.ts';
import type { Driver } from '../driver.ts';
import { I8237_REDUCER } from './evolve.ts';
import { i8237AtReset } from './state.ts';

export { I8237_REDUCER } from './evolve.ts';
export { type DmaChannel, type DmaController, type DmaState, i8237AtReset } from './state.ts';

/** Intel 8237A pair of a PC: 8-bit channels at 0x00, 16-bit ones (every second port) at 0xc0, page registers. */
export const i8237: Device<DmaState> = {
  model: '8237 DMA',
  regions: REGIONS,
  pins: [],
  read: readDma,
  describe: (dma) => ({ masks: dma.controllers.map((chip) => chip.mask.toString(16)).join(' ') }),
};

/** On the board of every `pc`. */
export const driver: Driver<DmaState, object> = {
  name: 'i8257',
  description: 'DMA controllers',
  bus: 'ISA',
  category: 'Misc',
  create: () => i8237,
  atReset: i8237AtReset,
  reducer: I8237_REDUCER,
};
