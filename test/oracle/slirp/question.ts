/** A frame to send. */
export interface Asked {
  readonly note: string;
  readonly frame: Uint8Array;
  /** Milliseconds to wait for what comes later; default: a moment. */
  readonly wait?: number;
}

/** What libslirp is asked in one run of QEMU. */
export interface Question {
  readonly name: string;
  /** Of `-netdev user`. */
  readonly options: readonly (readonly [name: string, value: string])[];
  readonly asked: readonly Asked[];
}

export const ask = (note: string, frame: Uint8Array, wait?: number): Asked => ({
  ...{ note, frame },
  ...(wait === undefined ? {} : { wait }),
});

/** Several of one kind. */
export const each = (note: string, frames: readonly Uint8Array[]): Asked[] =>
  frames.map((frame, at) => ask(`${note} ${at}`, frame));
