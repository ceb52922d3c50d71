import type { FRAMES_FACTS, FRAMES_INPUTS } from '../../events/frames.ts';
import { ofItsDevice } from './of-device.ts';
import { type Rows, tells } from '../row.ts';

export const FRAMES_ROWS: Rows<keyof typeof FRAMES_FACTS | keyof typeof FRAMES_INPUTS> = {
  'sim:frame_left': ofItsDevice(),
  'sim:frame_delayed': ofItsDevice(),
  'sim:frame_doubled': tells,
  'sim:frame_held': ofItsDevice(),
  'sim:frame_taken': ofItsDevice(),
  'sim:frame_refused': ofItsDevice(),
  'sim:carrier_set': ofItsDevice(),
  'sim:frames_stalled': ofItsDevice(),
};
