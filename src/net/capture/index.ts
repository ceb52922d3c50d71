import type { Device, DeviceReducer } from '../../devices/device.ts';
import type { Driver } from '../../devices/driver.ts';
import { type PropertiesOf, text } from '../../devices/properties.ts';

/** What a `-netdev pcap` is made with. */
export interface CaptureSetup {
  /** The capture whose frames it sends. */
  readonly file: string;
  /** When the first of them comes: virtual time, like `2s`. */
  readonly start: string;
}

const PROPERTIES: PropertiesOf<CaptureSetup> = {
  file: text('', 'The capture whose frames come in, at their times: pcap or pcapng'),
  start: text('0s', 'When the first of them comes, in virtual time'),
};

/** Nothing: frames come by inputs, and what a guest sends is lost. */
export type CaptureState = object;

const capture: Device<CaptureState> = {
  model: 'pcap',
  regions: [],
  pins: [],
  read: () => 0,
  receive(_state, effects, input) {
    if (input.kind === 'sim:frame_received') effects.sendPacket(input.bytes);
  },
  describe: () => ({}),
};

const REDUCER: DeviceReducer<CaptureState> = {};

/** Somebody who says what was recorded, whatever is answered. */
export const driver: Driver<CaptureState, CaptureSetup> = {
  name: 'pcap',
  description: 'Frames of a capture, at their times',
  bus: 'System',
  category: 'Network',
  properties: PROPERTIES,
  create: () => capture,
  atReset: () => ({}),
  reducer: REDUCER,
};
