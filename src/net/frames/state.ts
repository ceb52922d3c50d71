/** A backend whose wire goes on outside the machine. */
export interface FramesState {
  /** Somebody is at the other end: what is sent to nobody is lost. */
  readonly isUp: boolean;
  /** What the monitor says of it. */
  readonly info: string;
  /** He takes no more for now: packets wait. */
  readonly isStalled: boolean;
  /** Frames from outside that wait for who they are for. */
  readonly held: number;
  /** Packets that have gone outside. */
  readonly left: number;
  /** Frames that came and were lost at once. */
  readonly refused: number;
  /** Virtual nanosecond from which the cable has no frame on it; 0: it has no bandwidth that would make one wait. */
  readonly freeNs: number;
}

/** Frames that wait: who brings more than the guest takes loses them. */
export const MOST_HELD = 256;

/** QEMU's NET_BUFSIZE: no frame is longer. */
export const LONGEST_FRAME = 4096 + 65_536;

/** Characters of what the monitor says. QEMU's has as many. */
export const LONGEST_INFO = 255;

export const framesAtReset = (given: Partial<FramesState> = {}): FramesState => ({
  ...{ isUp: true, info: '', isStalled: false, held: 0, left: 0, refused: 0, freeNs: 0 },
  ...given,
});
