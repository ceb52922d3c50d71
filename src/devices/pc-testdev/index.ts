import type { Draft } from '../../base/draft.ts';
import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';
import { gsiWires } from '../wire.ts';

/** QEMU's pc-testdev: what kvm-unit-tests poke. */
export interface PcTestdevState {
  /** The doubleword at 0xe0, and byte-wide at 0xe8. */
  readonly scratch: number;
  /** Written bytes of the 64 KB at 0xff000000 by offset; the others are zero. */
  readonly memory: Readonly<Record<string, number>>;
}

/** All zero. */
export function pcTestdevAtReset(): PcTestdevState {
  return { scratch: 0, memory: {} };
}

const REGION = { scratch: 0, flush: 1, scratchByte: 2, irq: 3, memory: 4 } as const;

/** Regions in the order of `REGION`. Pins: `irq0` to `irq23`, driven by writes to 0x2000 + n. */
export const pcTestdev: Device<PcTestdevState> = {
  model: 'pc-testdev',
  regions: [
    { name: 'pc-testdev-ioport', space: 'io', base: 0xe0, length: 4, minAccess: 1, maxAccess: 4 },
    { name: 'pc-testdev-flush-page', space: 'io', base: 0xe4, length: 4, minAccess: 4, maxAccess: 4 },
    { name: 'pc-testdev-ioport-byte', space: 'io', base: 0xe8, length: 4, minAccess: 1, maxAccess: 1 },
    { name: 'pc-testdev-irq-line', space: 'io', base: 0x2000, length: 24, minAccess: 1, maxAccess: 1 },
    { name: 'pc-testdev-iomem', space: 'memory', base: 0xff00_0000, length: 0x10000, minAccess: 1, maxAccess: 4 },
  ],
  pins: Array.from({ length: 24 }, (_, line) => `irq${line}`),
  read,
  write: (_dev, region, offset, _size, value, effects) => {
    effects.commit();
    if (region === REGION.irq) effects.pin(`irq${offset}`, value !== 0);
  },
  describe: (dev) => ({ scratch: `0x${dev.scratch.toString(16)}`, memory: `${Object.keys(dev.memory).length} bytes` }),
};

/** Scratch and memory take what is written. */
export const PC_TESTDEV_REDUCER: DeviceReducer<PcTestdevState> = {
  written(dev, { region, offset, size, value }) {
    if (region === REGION.memory) writeMemory(dev, offset, size, value);
    else if (region === REGION.scratch || region === REGION.scratchByte) {
      dev.scratch = withBytes(dev.scratch, offset, size, value);
    }
  },
};

function read(dev: PcTestdevState, region: number, offset: number, size: number): number {
  if (region === REGION.memory) return readMemory(dev, offset, size);
  if (region === REGION.scratch || region === REGION.scratchByte) {
    return Math.floor(dev.scratch / 2 ** (8 * offset)) % 2 ** (8 * size);
  }
  return 0;
}

function withBytes(word: number, offset: number, size: number, value: number): number {
  const mask = size === 4 ? 0xffff_ffff : ((1 << (8 * size)) - 1) << (8 * offset);
  return ((word & ~mask) | ((value << (8 * offset)) & mask)) >>> 0;
}

function readMemory(dev: PcTestdevState, offset: number, size: number): number {
  let value = 0;
  for (let at = size - 1; at >= 0; at--) value = value * 256 + (dev.memory[offset + at] ?? 0);
  return value;
}

function writeMemory(dev: Draft<PcTestdevState>, offset: number, size: number, value: number): void {
  for (let at = 0; at < size; at++) dev.memory[offset + at] = Math.floor(value / 2 ** (8 * at)) & 0xff;
}

export const driver: Driver<PcTestdevState, object> = {
  name: 'pc-testdev',
  description: 'What kvm-unit-tests poke',
  bus: 'ISA',
  category: 'Misc',
  properties: {},
  create: () => pcTestdev,
  atReset: pcTestdevAtReset,
  reducer: PC_TESTDEV_REDUCER,
  wires: () => gsiWires('irq', 24),
};
