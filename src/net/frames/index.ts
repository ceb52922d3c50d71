import type { Driver } from '../../devices/driver.ts';
import { framesBackend } from './backend.ts';
import { FRAMES_REDUCER } from './evolve.ts';
import { type FramesState, framesAtReset } from './state.ts';

export type { FramesState } from './state.ts';

/** Frames are carried by whoever runs the machine: `sim:frame_left` tells him, `sim:frame_received` is what he brings. */
export const frames: Driver<FramesState, object> = {
  name: 'frames',
  description: 'Frames carried by whoever runs the machine',
  bus: 'System',
  category: 'Network',
  properties: {},
  create: () => framesBackend('frames'),
  atReset: framesAtReset,
  reducer: FRAMES_REDUCER,
};
