/** Guests that say where parts of what they print begin. */
import { expect } from 'vitest';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { EventKind, EventOf } from '../../../src/events/vocabulary.ts';
import { retrovisor } from '../command-line.ts';

export interface Recorded {
  readonly trace: string;
  /** What the guest printed, by the names its script has for it. */
  readonly parts: ReadonlyMap<string, readonly string[]>;
}

/** Record a run to its end. */
export function recordedAs(trace: string, options: readonly string[]): Recorded {
  const ran = retrovisor(['run', ...options, '--trace', trace]);
  expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
  const parts = ran.out.replaceAll('\r', '').split(/^= /m);
  return { trace, parts: new Map(parts.map((part) => [part.split('\n')[0]!, part.split('\n').slice(1)])) };
}

export const ofKind = <K extends EventKind>(events: readonly Stamped[], kind: K): EventOf<K>[] =>
  events.flatMap(({ event }) => (event.kind === kind ? [event as EventOf<K>] : []));
