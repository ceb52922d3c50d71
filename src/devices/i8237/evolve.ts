/** What facts do to the DMA controllers. Intel 8237A data sheet. */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer, RegisterWrite } from '../device.ts';
import { pagesReached, portOf, TERMINAL_COUNTS } from './registers.ts';
import type { DmaController, DmaState } from './state.ts';

type Chip = Draft<DmaController>;

function writeChannel(chip: Chip, port: number, value: number): void {
  const channel = chip.channels[port >> 1]!;
  const shift = chip.flipFlop ? 8 : 0;
  const merge = (old: number): number => (old & (0xff00 >> shift)) | (value << shift);
  if (port & 1) channel.count = merge(channel.count);
  else channel.address = merge(channel.address);
  if (shift === 8) channel.current = channel.address;
  chip.flipFlop = !chip.flipFlop;
}

/** Command bits no PC uses: QEMU refuses the whole byte. */
const UNSUPPORTED = 0xfb;

function writeControl(chip: Chip, port: number, value: number): void {
  const bit = 1 << (value & 3);
  switch (port) {
    case 0:
      if ((value & UNSUPPORTED) === 0) chip.command = value;
      break;
    case 1:
      chip.status = value & 4 ? chip.status | (bit << 4) : chip.status & ~(bit << 4);
      chip.status &= ~bit;
      break;
    case 2:
      chip.mask = value & 4 ? chip.mask | bit : chip.mask & ~bit;
      break;
    case 3:
      chip.channels[value & 3]!.mode = value;
      break;
    case 4:
      chip.flipFlop = false;
      break;
    case 5:
      masterClear(chip);
      break;
    case 6:
      chip.mask = 0;
      break;
    case 7:
      chip.mask = value;
      break;
  }
}

function masterClear(chip: Chip): void {
  chip.flipFlop = false;
  chip.mask = 0xff;
  chip.status = 0;
  chip.command = 0;
}

function writePages(chip: Chip, { region, offset, size, value }: RegisterWrite): void {
  for (const each of pagesReached(region, offset, size)) {
    chip.channels[portOf(region, each).at]!.page = (value >> (8 * (each - offset))) & 0xff;
  }
}

/** Registers only store: nothing asks for DMA. */
export const I8237_REDUCER: DeviceReducer<DmaState> = {
  written(dma, { region, offset, size, value }) {
    const { controller, kind, at } = portOf(region, offset);
    const chip = dma.controllers[controller]!;
    if (kind === 'channel') writeChannel(chip, at, value);
    else if (kind === 'control') writeControl(chip, at, value);
    else writePages(chip, { region, offset, size, value });
  },
  taken(dma, { region, offset }) {
    const { controller, kind } = portOf(region, offset);
    const chip = dma.controllers[controller]!;
    if (kind === 'channel') chip.flipFlop = !chip.flipFlop;
    else chip.status &= ~TERMINAL_COUNTS;
  },
  reset(dma) {
    for (const chip of dma.controllers) masterClear(chip);
  },
};
