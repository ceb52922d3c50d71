import type { VirtioFunctionState } from '../virtio/index.ts';

/** What a virtio block device has beside what all virtio devices have. Requests are its queues' elements. */
export interface BlkState {
  /** Whether writes wait for a flush. */
  readonly writeCache: 'as made' | 'on' | 'off';
}

export type BlkFunctionState = VirtioFunctionState & BlkState;
