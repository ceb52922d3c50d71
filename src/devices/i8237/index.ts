import type { Device } from '../device.ts';

/** One channel: what software wrote and where the count stands. */
export interface DmaChannel {
  address: number;
  count: number;
  /** Address the channel stands at: loaded when a register's high byte is written. */
  current: number;
  mode: number;
  page: number;
}

/** One of the two controllers. */
export interface DmaController {
  command: number;
  status: number;
  mask: number;
  /** The next byte of a 16-bit register is its high one. */
  flipFlop: boolean;
  channels: DmaChannel[];
}

/** Both DMA controllers. No device asks for DMA, so registers only store. */
export interface DmaState {
  controllers: DmaController[];
}

const controller = (): DmaController => ({
  command: 0,
  status: 0,
  mask: 0xff,
  flipFlop: false,
  channels: Array.from({ length: 4 }, () => ({ address: 0, count: 0, current: 0, mode: 0, page: 0 })),
});

/** After reset every channel is masked. */
export function i8237AtReset(): DmaState {
  return { controllers: [controller(), controller()] };
}

const REGIONS = [
  { name: 'dma-chan', space: 'io', base: 0x00, length: 8, minAccess: 1, maxAccess: 1 },
  { name: 'dma-cont', space: 'io', base: 0x08, length: 8, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x81, length: 3, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x87, length: 1, minAccess: 1, maxAccess: 1 },
  { name: 'dma-chan', space: 'io', base: 0xc0, length: 16, minAccess: 1, maxAccess: 1 },
  { name: 'dma-cont', space: 'io', base: 0xd0, length: 16, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x89, length: 3, minAccess: 1, maxAccess: 1 },
  { name: 'dma-page', space: 'io', base: 0x8f, length: 1, minAccess: 1, maxAccess: 1 },
] as const;

/** Intel 8237A pair of a PC: 8-bit channels at 0x00, 16-bit ones (every second port) at 0xc0, page registers. */
export const i8237: Device<DmaState> = {
  model: '8237 DMA',
  regions: REGIONS,
  pins: [],
  read: (dma, region, offset) => {
    const which = region >> 2;
    const chip = dma.controllers[which]!;
    if ((region & 3) === 0) return readChannel(chip, offset >> which);
    if ((region & 3) === 1) return readControl(chip, offset >> which);
    return chip.channels[pageChannel(region, offset)]!.page;
  },
  write: (dma, region, offset, _size, value) => {
    const which = region >> 2;
    const chip = dma.controllers[which]!;
    if ((region & 3) === 0) writeChannel(chip, offset >> which, value);
    else if ((region & 3) === 1) writeControl(chip, offset >> which, value);
    else chip.channels[pageChannel(region, offset)]!.page = value;
  },
  reset: (dma) => {
    for (const chip of dma.controllers) masterClear(chip);
  },
  describe: (dma) => ({ masks: dma.controllers.map((chip) => chip.mask.toString(16)).join(' ') }),
};

/** Page registers' odd order: x1 is channel 2, x2 channel 3, x3 channel 1, x7 channel 0. */
const PAGE_CHANNELS = [2, 3, 1] as const;

const pageChannel = (region: number, offset: number): number => ((region & 3) === 3 ? 0 : PAGE_CHANNELS[offset]!);

function flip(chip: DmaController): number {
  const shift = chip.flipFlop ? 8 : 0;
  chip.flipFlop = !chip.flipFlop;
  return shift;
}

function readChannel(chip: DmaController, port: number): number {
  const channel = chip.channels[port >> 1]!;
  return ((port & 1 ? channel.count : channel.current) >> flip(chip)) & 0xff;
}

function writeChannel(chip: DmaController, port: number, value: number): void {
  const channel = chip.channels[port >> 1]!;
  const shift = flip(chip);
  const merge = (old: number): number => (old & (0xff00 >> shift)) | (value << shift);
  if (port & 1) channel.count = merge(channel.count);
  else channel.address = merge(channel.address);
  if (shift === 8) channel.current = channel.address;
}

/** Reading status clears the terminal-count bits; port 9 shows the mask, as QEMU does. */
function readControl(chip: DmaController, port: number): number {
  if (port === 0) {
    const status = chip.status;
    chip.status &= 0xf0;
    return status;
  }
  return port === 1 ? chip.mask : 0;
}

/** Command bits no PC uses: QEMU refuses the whole byte. */
const UNSUPPORTED = 0xfb;

function writeControl(chip: DmaController, port: number, value: number): void {
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

function masterClear(chip: DmaController): void {
  chip.flipFlop = false;
  chip.mask = 0xff;
  chip.status = 0;
  chip.command = 0;
}
