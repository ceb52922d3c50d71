/** What facts and inputs do to a backend whose wire goes on outside. */
import type { DeviceReducer } from '../../devices/device.ts';
import { type FramesState, LONGEST_INFO } from './state.ts';

export const FRAMES_REDUCER: DeviceReducer<FramesState> = {
  facts: {
    'sim:frame_left'(state) {
      state.left += 1;
    },
    'sim:frame_delayed'(state, { free }) {
      state.freeNs = free;
    },
    'sim:frame_held'(state) {
      state.held += 1;
    },
    'sim:frame_taken'(state) {
      state.held = Math.max(state.held - 1, 0);
    },
    'sim:frame_refused'(state) {
      state.refused += 1;
    },
    'sim:carrier_set'(state, { up, info }) {
      state.isUp = up;
      state.info = info.slice(0, LONGEST_INFO);
      state.isStalled = false;
    },
    'sim:frames_stalled'(state, { stalled }) {
      state.isStalled = stalled;
    },
  },
};
