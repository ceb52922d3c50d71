import type { Device } from '../device.ts';
import { readData, resetI8042, takeKeys, writeCommand, writeData } from './decide.ts';
import { REGION } from './registers.ts';
import type { I8042State } from './state.ts';
import type { Driver } from '../driver.ts';
import { I8042_REDUCER } from './evolve.ts';
import { i8042AtReset } from './state.ts';

export { I8042_REDUCER } from './evolve.ts';
export { type I8042State, i8042AtReset } from './state.ts';

/** PS/2 keyboard and mouse controller at ports 0x60 and 0x64. Keys come in scan code set 1. */
export const i8042: Device<I8042State> = {
  model: 'i8042',
  regions: [
    { name: 'i8042-data', space: 'io', base: 0x60, length: 1, minAccess: 1, maxAccess: 1 },
    { name: 'i8042-cmd', space: 'io', base: 0x64, length: 1, minAccess: 1, maxAccess: 1 },
  ],
  pins: ['irq1', 'irq12', 'a20'],
  read: (kbc, region, _offset, _size, effects) => (region === REGION.data ? readData(kbc, effects) : kbc.status),
  write: (kbc, region, _offset, _size, value, effects) => {
    if (region === REGION.data) writeData(kbc, value, effects);
    else writeCommand(kbc, value, effects);
  },
  receive: (kbc, effects) => takeKeys(kbc, effects),
  reset: resetI8042,
  describe: (kbc) => ({
    status: `0x${kbc.status.toString(16)}`,
    mode: `0x${kbc.mode.toString(16)}`,
    'output port': `0x${kbc.outputPort.toString(16)}`,
    keyboard: kbc.keyboard.enabled ? 'scanning' : 'off',
    mouse: kbc.mouse.enabled ? 'reporting' : 'off',
  }),
};

/** On the board of every `pc`. */
export const driver: Driver<I8042State, object> = {
  name: 'i8042',
  description: 'Keyboard controller',
  bus: 'ISA',
  category: 'Input',
  create: () => i8042,
  atReset: i8042AtReset,
  reducer: I8042_REDUCER,
};
