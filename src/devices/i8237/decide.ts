import type { Effects } from '../device.ts';
import { CONTROL, portOf, TERMINAL_COUNTS } from './registers.ts';
import type { DmaController, DmaState } from './state.ts';

/** Read one register. */
export function readDma(dma: DmaState, region: number, offset: number, effects: Effects): number {
  const { controller, kind, at } = portOf(region, offset);
  const chip = dma.controllers[controller]!;
  if (kind === 'channel') return readChannel(chip, at, effects);
  if (kind === 'control') return readControl(chip, at, effects);
  return kind === 'page' ? chip.channels[at]!.page : 0xff;
}

/** One byte of a 16-bit register; the next read gives the other. */
function readChannel(chip: DmaController, port: number, effects: Effects): number {
  const channel = chip.channels[port >> 1]!;
  const word = port & 1 ? channel.count : channel.current;
  const byte = (word >> (chip.flipFlop ? 8 : 0)) & 0xff;
  effects.commit();
  return byte;
}

/** Reading status clears the terminal-count bits; port 9 shows the mask, as QEMU does. */
function readControl(chip: DmaController, port: number, effects: Effects): number {
  if (port === CONTROL.status) {
    const { status } = chip;
    if (status & TERMINAL_COUNTS) effects.commit();
    return status;
  }
  return port === CONTROL.mask ? chip.mask : 0;
}
