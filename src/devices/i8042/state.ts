import { MODE, OUTPUT_PORT, STATUS } from './registers.ts';

/** One PS/2 device: bytes it wants to send, replies to commands before everything else. */
export interface Ps2Port {
  replies: number[];
  queue: number[];
  /** Command whose parameter is awaited, or -1. */
  expecting: number;
  enabled: boolean;
}

/** Keyboard. */
export interface Ps2Keyboard extends Ps2Port {
  scanCodeSet: number;
  leds: number;
}

/** Mouse that never moves. */
export interface Ps2Mouse extends Ps2Port {
  /** 0 PS/2, 3 wheel, 4 five buttons: chosen by the last three sample rates. */
  type: number;
  resolution: number;
  sampleRate: number;
  lastRates: number[];
  remote: boolean;
  wrap: boolean;
  doubled: boolean;
}

/** Controller with both its devices. */
export interface I8042State {
  status: number;
  mode: number;
  outputPort: number;
  /** Command that awaits its data byte at port 0x60, or 0. */
  expecting: number;
  /** A byte the controller itself wants to put into the output buffer. */
  own: { byte: number; auxiliary: boolean } | false;
  /** Whose byte fills the output buffer. */
  source: 'own' | 'keyboard' | 'mouse';
  /** What port 0x60 showed last. */
  outputByte: number;
  keyboard: Ps2Keyboard;
  mouse: Ps2Mouse;
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
