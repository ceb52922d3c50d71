import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** The part by which the reset code asks for the kernel to be loaded again. */
export const DIRECT_BOOT = 'direct-boot';

/** Where it is reached. */
export const BOOT_PORT = 0x4f4;

/** The part keeps nothing. */
export type DirectBootState = Readonly<Record<string, never>>;

/** Nothing to keep. */
const directBootAtReset = (): DirectBootState => ({});

/** A write starts the kernel anew, as firmware does at the end of a restart. Reads tell nothing. */
const directBoot: Device<DirectBootState> = {
  model: DIRECT_BOOT,
  regions: [{ name: DIRECT_BOOT, space: 'io', base: BOOT_PORT, length: 1, minAccess: 1, maxAccess: 1 }],
  pins: [],
  read: () => 0xff,
  write: (_state, _region, _offset, _size, _value, effects) => {
    effects.commit();
    effects.requestReset();
  },
  describe: () => ({}),
};

/** Nothing changes a part that keeps nothing. */
const DIRECT_BOOT_REDUCER: DeviceReducer<DirectBootState> = {};

/** There while no firmware is. */
export const driver: Driver<DirectBootState, object> = {
  name: DIRECT_BOOT,
  description: 'Starts the kernel again',
  bus: 'System',
  category: 'Misc',
  create: () => directBoot,
  atReset: directBootAtReset,
  reducer: DIRECT_BOOT_REDUCER,
};
