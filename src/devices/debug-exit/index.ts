import type { Device, DeviceReducer } from '../device.ts';

/** QEMU's isa-debug-exit keeps nothing. */
export type DebugExitState = Readonly<Record<string, never>>;

/** There is nothing to reset. */
export function debugExitAtReset(): DebugExitState {
  return {};
}

/** QEMU's isa-debug-exit: writing v ends the process with status v*2+1. Default 2 ports at 0x501. */
export const debugExit: Device<DebugExitState> = debugExitAt(0x501, 2);

/** The same device where and as wide as the command line says (`iobase=`, `iosize=`). */
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
