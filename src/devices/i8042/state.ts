import { MODE, OUTPUT_PORT, STATUS } from './registers.ts';

/** One PS/2 device: bytes it wants to send, replies to commands before everything else. */
export interface Ps2Port {
  readonly replies: readonly number[];
  readonly queue: readonly number[];
  /** Command whose parameter is awaited, or -1. */
  readonly expecting: number;
  readonly enabled: boolean;
}

/** Keyboard. */
export interface Ps2Keyboard extends Ps2Port {
  readonly scanCodeSet: number;
  readonly leds: number;
}

/** Mouse that never moves. */
export interface Ps2Mouse extends Ps2Port {
  /** 0 PS/2, 3 wheel, 4 five buttons: chosen by the last three sample rates. */
  readonly type: number;
  readonly resolution: number;
  readonly sampleRate: number;
  readonly lastRates: readonly number[];
  readonly remote: boolean;
  readonly wrap: boolean;
  readonly doubled: boolean;
}

/** Who fills the output buffer: the controller itself, or one of its devices. */
export type OutputSource = 'own' | 'keyboard' | 'mouse';

/** Controller with both its devices. */
export interface I8042State {
  readonly status: number;
  readonly mode: number;
  readonly outputPort: number;
  /** Command that awaits its data byte at port 0x60, or 0. */
  readonly expecting: number;
  /** A byte the controller itself wants to put into the output buffer. */
  readonly own: { readonly byte: number; readonly auxiliary: boolean } | false;
  /** Whose byte fills the output buffer. */
  readonly source: OutputSource;
  /** What port 0x60 showed last. */
  readonly outputByte: number;
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
}

/** Keyboard at power-on: scanning, set 2. */
export function keyboardAtReset(): Ps2Keyboard {
  return { replies: [], queue: [], expecting: -1, enabled: true, scanCodeSet: 2, leds: 0 };
}

/** Mouse at power-on, not reporting; QEMU's has no rate and resolution until it is told to reset. */
export function mouseAtReset(): Ps2Mouse {
  return {
    replies: [],
    queue: [],
    expecting: -1,
    enabled: false,
    type: 0,
    resolution: 0,
    sampleRate: 0,
    lastRates: [],
    remote: false,
    wrap: false,
    doubled: false,
  };
}

/** Controller at power-on, as QEMU resets it. */
export function i8042AtReset(): I8042State {
  return {
    status: STATUS.command | STATUS.unlocked,
    mode: MODE.keyboardInterrupt | MODE.auxiliaryInterrupt,
    outputPort: OUTPUT_PORT.notReset | OUTPUT_PORT.a20 | OUTPUT_PORT.ones,
    expecting: 0,
    own: false,
    source: 'own',
    outputByte: 0,
    keyboard: keyboardAtReset(),
    mouse: mouseAtReset(),
  };
}

/** Whether the controller turns scan codes into set 1. */
export const translates = (kbc: I8042State): boolean => (kbc.mode & MODE.translate) !== 0;
/** Whether port 0x60 has a byte that was not read yet. */
export const isOutputFull = (kbc: I8042State): boolean => (kbc.status & STATUS.outputFull) !== 0;
