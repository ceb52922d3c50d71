import type { Effects } from '../device.ts';
import { CONTROL, pagesReached, portOf, TERMINAL_COUNTS } from './registers.ts';
import type { DmaController, DmaState } from './state.ts';

/** Read one register. */
export function readDma(dma: DmaState, region: number, offset: number, size: number, effects: Effects): number {
  const { controller, kind, at } = portOf(region, offset);
  const chip = dma.controllers[controller]!;
  if (kind === 'channel') return readChannel(chip, at, effects);
  if (kind === 'control') return readControl(chip, at, effects);
  return readPages(chip, region, offset, size);
}

/** What no page register answers reads all ones. */
function readPages(chip: DmaController, region: number, offset: number, size: number): number {
  const bytes = new Array<number>(size).fill(0xff);
  for (const each of pagesReached(region, offset, size)) {
    bytes[each - offset] = chip.channels[portOf(region, each).at]!.page;
  }
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
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
