import type { Sha256State } from '../../base/sha256.ts';

/** What answers a connection of the world, as far as it has come: its kind, and what it has heard and not used yet. */
export type AppState = HttpState | EchoState | SinkState | SourceState | ScriptState;

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
