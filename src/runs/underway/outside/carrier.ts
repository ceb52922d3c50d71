import type { EventKind } from '../../../events/vocabulary.ts';
import type { InputEvent } from '../../../machine/parts.ts';

/** Whoever carries the frames of one backend. */
export interface Carrier {
  readonly dev: string;
  /** Somebody outside may bring a frame. */
  readonly isAwaited: boolean;
  /** Throws a Problem where nothing can come of it. */
  open(): Promise<void>;
  /** One leaves. */
  carry(frame: Uint8Array): void;
  /** What the backend has told of frames that came. */
  told(kind: EventKind): void;
  close(): void;
}

/** Whom a carrier speaks to. */
export interface Hears {
  /** The machine. */
  send(event: InputEvent): void;
  /** A person. */
  notice(sentence: string): void;
}
