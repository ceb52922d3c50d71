import type { MachineEvent } from '../events/vocabulary.ts';

/** What a device may ask of the world outside the simulator. Performed by `host`, never by a device. */
export type HostRequest =
  | { readonly ask: 'serial-output'; readonly line: number; readonly byte: number }
  | { readonly ask: 'debugcon-output'; readonly byte: number }
  | { readonly ask: 'exit'; readonly status: number }
  | { readonly ask: 'power-off' }
  | { readonly ask: 'reset' };

/** Where a device's consequences go. `now` is virtual nanoseconds since power-on. */
export interface Effects {
  readonly now: number;
  raise(event: MachineEvent): void;
  /**
   * Drive one of the device's own output pins (named in its `pins`). The machine knows the wiring.
   * As in QEMU the same level may be driven again: whether that goes further is the wiring's choice.
   */
  pin(name: string, high: boolean): void;
  ask(request: HostRequest): void;
  /** Guest-physical memory as the device's DMA sees it. */
  dmaRead(gpa: number, length: number): Uint8Array;
  dmaWrite(gpa: number, bytes: Uint8Array): void;
}

/** Inside a state: a timer that is not armed. */
export const UNARMED = -1;

/** One range of registers a device answers: I/O ports or memory-mapped. */
export interface Region {
  readonly name: string;
  readonly space: 'io' | 'memory';
  /** Default base; `undefined` when a BAR places it. */
  readonly base?: number;
  readonly length: number;
  /** Where two regions overlap the higher one answers; default 0. An access goes whole to its first byte's region. */
  readonly priority?: number;
  /** Access widths the model itself handles. Wider ones come in pieces; of a widened one the low part is kept. */
  readonly minAccess: 1 | 2 | 4 | 8;
  readonly maxAccess: 1 | 2 | 4 | 8;
}

/** A write that becomes a signal. */
export interface EventfdWrite {
  /** By its place in `regions`. */
  readonly region: number;
  readonly offset: number;
  /** 0: of any width. */
  readonly size: 0 | 1 | 2 | 4 | 8;
  /** Only this value; `undefined`: any. */
  readonly match: number | undefined;
}

/**
 * A device model introduces itself in one value. It knows no bus, no neighbour and no machine.
 * Its state `S` is a plain JSON-like object (numbers, strings, booleans, arrays, objects; no
 * typed arrays, classes, functions, Map or Set; bigint where 64 bits are needed): everything that can
 * influence the future is in it.
 * `read`, `write`, `receive` and `expire` may change the state they are given, and nothing else.
 */
export interface Device<S> {
  readonly model: string;
  readonly regions: readonly Region[];
  readonly pins: readonly string[];
  /** Pins that others drive, for `input`. */
  readonly inputs?: readonly string[];
  read(state: S, region: number, offset: number, size: number, effects: Effects): number;
  write(state: S, region: number, offset: number, size: number, value: number, effects: Effects): void;
  /** One of `inputs` was driven. */
  input?(state: S, name: string, high: boolean, effects: Effects): void;
  /** Virtual nanosecond at which `expire` must be called, or undefined when no timer is armed. */
  deadline?(state: S): number | undefined;
  expire?(state: S, effects: Effects): void;
  /** Bytes from outside (serial input, keyboard scan codes). */
  receive?(state: S, bytes: Uint8Array, effects: Effects): void;
  /** A write the device wants as a signal of an eventfd instead of a call, as its state is now. */
  eventfd?(state: S): EventfdWrite | undefined;
  /** System reset (not power-on: that is a fresh state). */
  reset?(state: S, effects: Effects): void;
  /** For a stopped person: labels and values. */
  describe(state: S): Readonly<Record<string, string>>;
}
