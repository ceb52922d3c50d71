import { finish } from '../base/work.ts';
import { expect } from 'vitest';
import { printable } from '../base/printable.ts';
import { matcher } from '../replay/export/event-filter.ts';
import { filterOf, nextEvent } from '../replay/places.ts';
import { describeStamped } from '../replay/divergence.ts';
import type { ImagePaths } from '../runs/recorded/recorded-run.ts';
import { consoleOf, divergenceOf, eventsOf } from './recorded-guest.ts';

export { recordGuest, type RecordedGuest } from './recorded-guest.ts';

/** What the matchers look at: a trace's path, or what `recordGuest` gave. */
export type TraceUnderTest = string | { readonly trace: string };

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
}

const pathOf = (trace: TraceUnderTest): string => (typeof trace === 'string' ? trace : trace.trace);

/** Every event and digest comes out as recorded when the trace is run again. */
function toReplayExactly(received: TraceUnderTest, images: ImagePaths = {}): Outcome {
  const trace = pathOf(received);
  const divergence = divergenceOf(trace, images);
  return {
    pass: divergence === undefined,
    message: () => divergence ?? `${trace} replays exactly, and was expected not to.`,
  };
}

/** Some event is of this kind, with `*` for anything, and its text holds the rest: `kvm_exit TRIPLE_FAULT`. */
function toReach(received: TraceUnderTest, event: string): Outcome {
  const trace = pathOf(received);
  const { events, damage } = eventsOf(trace);
  const found = finish(nextEvent(events, 0, matcher(filterOf(event))));
  const reached = found === undefined ? '' : describeStamped(found);
  return {
    pass: found !== undefined,
    message: () =>
      found === undefined
        ? `No event of ${trace} is ${event}${damage === undefined ? '' : `, as far as it can be read: ${damage}`}.`
        : `${trace} was expected never to reach ${event}, and does:\n${reached}`,
  };
}

/** No event is of this kind with this text. A damaged trace proves nothing. */
function toNeverRaise(received: TraceUnderTest, event: string): Outcome {
  const { damage } = eventsOf(pathOf(received));
  if (damage !== undefined) return { pass: false, message: () => damage };
  const { pass, message } = toReach(received, event);
  return { pass: !pass, message };
}

/** The guest printed this on its first serial line. */
function toPrint(received: TraceUnderTest, text: string): Outcome {
  const printed = consoleOf(eventsOf(pathOf(received)).events);
  const pass = printed.includes(text);
  return {
    pass,
    message: () =>
      `The guest ${pass ? 'prints' : 'does not print'} ${JSON.stringify(text)}. Its console:\n${printable(printed)}`,
  };
}

expect.extend({ toReplayExactly, toReach, toNeverRaise, toPrint });

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations must agree
  interface Matchers<T = any> {
    /** The trace runs again to the same events and digests. Images that have moved are named. */
    toReplayExactly(images?: ImagePaths): T;
    /** An event of this kind (`kvm_exit`, `kvm_*`) whose text holds the rest is in the trace. */
    toReach(event: string): T;
    /** No such event is in the trace. */
    toNeverRaise(event: string): T;
    /** The guest printed this on its first serial line. */
    toPrint(text: string): T;
  }
}
