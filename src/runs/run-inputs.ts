/** Inputs that are about the run itself: the world sends none of them. */
import { fileName } from '../base/file-name.ts';
import type { InputEvent, PendingInput } from '../machine/parts.ts';

/** A run ended from outside. */
export const STOPPED = { kind: 'sim:stopped', by: 'the recorder' } as const;

/** Whether a fork has an input of its parent too: not what was said about the parent itself. */
export const isOfTheWorld = ({ event: { kind } }: PendingInput): boolean =>
  kind !== 'sim:stopped' && kind !== 'sim:forked';

/** The first event of a fork that is its own. A run under way has no name yet. */
export const forkedFrom = (path?: string) =>
  ({ kind: 'sim:forked', parent: path === undefined ? 'a run under way' : fileName(path) }) as const;

/** Where characters can be typed: a serial line (COM1 is 0), or a device of `-device` by its name. */
export type CharacterPort = number | string;

/** A payload for a device. */
export const payloadFor = (dev: string, sha256: string, len: number): InputEvent => ({
  kind: 'sim:payload_received',
  ...{ dev, sha256, len },
});

/** What somebody types there. */
export const typedAt = (at: CharacterPort, bytes: Uint8Array): InputEvent =>
  typeof at === 'number'
    ? { kind: 'sim:serial_received', line: at, bytes }
    : { kind: 'sim:chardev_received', dev: at, bytes };
