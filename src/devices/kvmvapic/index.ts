import type { Device, DeviceReducer } from '../device.ts';
import type { Driver } from '../driver.ts';

/** What the option ROM told through the port. */
export interface KvmvapicState {
  /** Offset of the ROM's own variables, once it has reported; -1 before. */
  readonly romState: number;
}

/** No ROM has reported yet. */
export function kvmvapicAtReset(): KvmvapicState {
  return { romState: -1 };
}

const REPORT = 2;

/**
 * QEMU's kvmvapic, the port its option ROM reports to with 16-bit writes (hw/i386/kvmvapic.c). TPR accesses of 32-bit
 * guests are not patched: they exit, which a guest cannot tell.
 */
export const kvmvapic: Device<KvmvapicState> = {
  model: 'kvmvapic',
  regions: [{ name: 'kvmvapic', space: 'io', base: 0x7e, length: 2, minAccess: 1, maxAccess: 4 }],
  pins: [],
  read: (_vapic, _region, _offset, size) => 2 ** (8 * size) - 1,
  describe: (vapic) => ({ 'option ROM': vapic.romState < 0 ? 'silent' : `state at 0x${vapic.romState.toString(16)}` }),
};

/** The first report stays. */
export const KVMVAPIC_REDUCER: DeviceReducer<KvmvapicState> = {
  written(vapic, { size, value }) {
    if (size === REPORT && vapic.romState < 0) vapic.romState = value;
  },
};

/** On the board of every `pc`. */
export const driver: Driver<KvmvapicState, object> = {
  name: 'kvmvapic',
  description: 'Port of the TPR option ROM',
  bus: 'System',
  category: 'Misc',
  create: () => kvmvapic,
  atReset: kvmvapicAtReset,
  reducer: KVMVAPIC_REDUCER,
};
