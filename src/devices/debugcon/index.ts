import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';
import { ioBase, uint32 } from '../properties.ts';

/** The debug console keeps nothing between accesses. */
export interface DebugconState {
  /** What a read answers: how a guest finds out that the port is there. */
  readonly readback: number;
}

const READBACK = 0xe9;

/** QEMU's isa-debugcon answers 0xe9 to reads unless told otherwise. */
export function debugconAtReset(readback = READBACK): DebugconState {
  return { readback };
}

/** QEMU's isa-debugcon: every byte written is text for a person. SeaBIOS writes its log to 0x402. */
export const debugcon: Device<DebugconState> = {
  model: 'isa-debugcon',
  regions: [{ name: 'isa-debugcon', space: 'io', base: 0x402, length: 1, minAccess: 1, maxAccess: 1 }],
  pins: [],
  read: (console) => console.readback,
  write: (_console, _region, _offset, _size, value, effects) => {
    effects.commit();
    effects.ask({ to: 'chardev', bytes: Uint8Array.of(value) });
  },
  describe: (console) => ({ readback: `0x${console.readback.toString(16)}` }),
};

/** Nothing changes what a read answers. */
export const DEBUGCON_REDUCER: DeviceReducer<DebugconState> = {};

/** Where it is and what its port reads. */
export interface DebugconSetup {
  readonly iobase: number;
  readonly readback: number;
}

export const driver: Driver<DebugconState, DebugconSetup> = {
  name: 'isa-debugcon',
  description: 'Debug console: each byte written is printed',
  bus: 'ISA',
  category: 'Misc',
  properties: { iobase: ioBase(0xe9), readback: uint32(READBACK, 'What a read of the port gives') },
  chardev: 'required',
  create: ({ iobase }) => ({ ...debugcon, regions: debugcon.regions.map((each) => ({ ...each, base: iobase })) }),
  atReset: ({ readback }) => debugconAtReset(readback),
  reducer: DEBUGCON_REDUCER,
};
