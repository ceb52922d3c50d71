import type { Device } from '../device.ts';
import { accept, expireUart, readUart, resetUart, writeUart } from './decide.ts';
import { describeUart } from './describe.ts';
import type { UartState } from './state.ts';
import type { Driver } from '../driver.ts';
import { UART_REDUCER } from './evolve.ts';
import { uartAtReset } from './state.ts';

export { UART_REDUCER } from './evolve.ts';
export { type UartState, uartAtReset } from './state.ts';

/** Serial port with FIFOs, as QEMU's isa-serial. Its pin is irq 4 for COM1, 3 for COM2. */
export const uart16550: Device<UartState> = {
  model: '16550A UART',
  regions: [{ name: 'serial', space: 'io', base: 0x3f8, length: 8, minAccess: 1, maxAccess: 1 }],
  pins: ['irq'],
  timers: ['timeout'],
  read: (uart, _region, offset, _size, effects) => readUart(uart, offset, effects),
  write: (uart, _region, offset, _size, value, effects) => writeUart(uart, offset, value, effects),
  expire: expireUart,
  receive: accept,
  reset: resetUart,
  describe: describeUart,
};

/** Which of the serial lines a port is, from 0 for COM1, and its first I/O port. */
export interface SerialSetup {
  readonly line: number;
  readonly iobase: number;
}

/** On the board, one for each `-serial`. */
export const driver: Driver<UartState, SerialSetup> = {
  name: 'isa-serial',
  description: 'Serial port',
  bus: 'ISA',
  category: 'Input',
  create: ({ iobase }) => ({ ...uart16550, regions: uart16550.regions.map((each) => ({ ...each, base: iobase })) }),
  atReset: ({ line }) => uartAtReset(line),
  reducer: UART_REDUCER,
};
