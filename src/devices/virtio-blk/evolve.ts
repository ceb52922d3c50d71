/** What facts do to a virtio block device, beside what they do to all virtio devices. */
import type { DeviceReducer } from '../device.ts';
import type { BlkFunctionState } from './state.ts';

export const BLK_REDUCER: DeviceReducer<BlkFunctionState> = {
  reset(blk) {
    blk.writeCache = 'as made';
  },
  facts: {
    'sim:virtio_reset'(blk) {
      blk.writeCache = 'as made';
    },
    'sim:virtio_blk_write_cache'(blk, { on }) {
      blk.writeCache = on ? 'on' : 'off';
    },
  },
};
