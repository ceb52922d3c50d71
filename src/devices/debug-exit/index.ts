import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';
import { ioBase, uint32 } from '../properties.ts';

/** QEMU's isa-debug-exit keeps nothing. */
export type DebugExitState = Readonly<Record<string, never>>;

/** There is nothing to reset. */
export function debugExitAtReset(): DebugExitState {
  return {};
}

/**
 * QEMU's isa-debug-exit, where and as wide as the command line says (`iobase=`, `iosize=`): writing v ends the process
 * with status v*2+1.
 */
export function debugExitAt(base: number, length: number): Device<DebugExitState> {
  return {
    model: 'isa-debug-exit',
    regions: [{ name: 'isa-debug-exit', space: 'io', base, length, minAccess: 1, maxAccess: 4 }],
    pins: [],
    read: () => 0,
    write: (_state, _region, _offset, _size, value, effects) => {
      effects.commit();
      // exit(3) keeps eight bits of a status.
      effects.raise({ kind: 'sim:exit_requested', status: ((value << 1) | 1) & 0xff });
    },
    describe: () => ({}),
  };
}

/** Nothing changes a device that keeps nothing. */
export const DEBUG_EXIT_REDUCER: DeviceReducer<DebugExitState> = {};

/** Where it is, and how many ports it has. */
export interface DebugExitSetup {
  readonly iobase: number;
  readonly iosize: number;
}

export const driver: Driver<DebugExitState, DebugExitSetup> = {
  name: 'isa-debug-exit',
  description: 'Ends the run: a write of v is status 2v + 1',
  bus: 'ISA',
  category: 'Misc',
  properties: { iobase: ioBase(0x501), iosize: uint32(2, 'How many ports', [1, 0x1_0000]) },
  create: ({ iobase, iosize }) => debugExitAt(iobase, iosize),
  atReset: debugExitAtReset,
  reducer: DEBUG_EXIT_REDUCER,
};
