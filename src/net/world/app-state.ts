import type { Sha256State } from '../../base/sha256.ts';
import type { SshState } from './ssh/state.ts';

/** What answers a connection of the world, as far as it has come: its kind, and what it has heard and not used yet. */
export type AppState = HttpState | SshState | EchoState | SinkState | SourceState | ScriptState | LiveState;

/** A body that a guest sends. */
export interface Upload {
  readonly method: string;
  readonly target: string;
  /** The connection goes on after it. */
  readonly keeps: boolean;
  readonly length: number;
  /** Bytes that are still to come. */
  readonly left: number;
  readonly hash: Sha256State;
}

export interface HttpState {
  readonly kind: 'http';
  /** What was heard of requests that are not answered yet: a byte a character. */
  readonly heard: string;
  readonly upload: Upload | undefined;
}

/** Says back what it hears. RFC 862. */
export interface EchoState {
  readonly kind: 'echo';
  /** What was heard and is not said back yet: a byte a character. */
  readonly heard: string;
}

/** Takes what it hears. RFC 863. */
export interface SinkState {
  readonly kind: 'sink';
}

/** Says what it has to say, whatever it hears: the time of day, characters without end. RFC 864, 867. */
export interface SourceState {
  readonly kind: 'source';
  /** It has something to say at first, and has said it. */
  readonly hasSaid: boolean;
}

/** Goes through the steps of a call of the world. */
export interface ScriptState {
  readonly kind: 'script';
  /** Which of the world's calls. */
  readonly call: number;
  /** The step it has come to. */
  readonly step: number;
  /** What was heard and no step has expected yet: a byte a character. */
  readonly heard: string;
  /** When the step is done that waits; undefined: none waits. Virtual nanoseconds. */
  readonly waitsUntil: number | undefined;
}

/** A socket of the host's. */
export interface LiveState {
  readonly kind: 'live';
  /** `asked`: nobody knows yet whether there is somebody. `gone`: the host's is closed. */
  readonly socket: 'asked' | 'open' | 'gone';
  /** What was heard and has not gone to it: a byte a character. */
  readonly heard: string;
  /** What went to it last: a byte a character. */
  readonly sent: string;
  /** Bytes that have gone to it, and that the host has not taken. */
  readonly untaken: number;
  /** Bytes it may still say before it is asked for more. */
  readonly credit: number;
  /** It was told that no more comes. */
  readonly isShut: boolean;
}
