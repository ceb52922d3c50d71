import { expect } from 'vitest';
import { matcher } from '../replay/export/event-filter.ts';
import { filterOf, nextEvent } from '../replay/places.ts';
import { describeStamped } from '../replay/divergence.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { askEvents, consoleOf, divergenceOf } from './recorded-guest.ts';

export { recordGuest, type RecordedGuest } from './recorded-guest.ts';

/** What the matchers look at: a trace's path, or what `recordGuest` gave. */
export type TraceUnderTest = string | { readonly trace: string };

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
}

const pathOf = (trace: TraceUnderTest): string => (typeof trace === 'string' ? trace : trace.trace);

/** What is so of a trace that may be cut. */
export interface CutAccess {
  /** Take what there is of a trace whose recorder did not end for the whole. */
  readonly acceptCut?: boolean;
}

/** Every event and digest comes out as recorded when the trace is run again. */
function toReplayExactly(received: TraceUnderTest, access: ImagePaths & CutAccess = {}): Outcome {
  const trace = pathOf(received);
  const divergence = divergenceOf(trace, access);
  return {
    pass: divergence === undefined,
    message: () => divergence ?? `${trace} replays exactly, and was expected not to.`,
  };
}

/** Some event is of this kind, with `*` for anything, and its text holds the rest: `kvm_exit TRIPLE_FAULT`. */
function toReach(received: TraceUnderTest, event: string, access: CutAccess = {}): Outcome {
  const trace = pathOf(received);
  const reached = askEvents(trace, access, (events) => {
    const found = nextEvent(events, 0, matcher(filterOf(event)));
    return found === undefined ? undefined : describeStamped(found);
  });
  return {
    pass: reached !== undefined,
    message: () =>
      reached === undefined
        ? `No event of ${trace} is ${event}.`
        : `${trace} was expected never to reach ${event}, and does:\n${reached}`,
  };
}

/** No event is of this kind with this text. */
function toNeverRaise(received: TraceUnderTest, event: string, access: CutAccess = {}): Outcome {
  const { pass, message } = toReach(received, event, access);
  return { pass: !pass, message };
}

/** The guest printed this on its first serial line. */
function toPrint(received: TraceUnderTest, text: string, access: CutAccess = {}): Outcome {
  const printed = askEvents(pathOf(received), access, consoleOf);
  const pass = printed.includes(text);
  return {
    pass,
    message: () => `The guest ${pass ? 'prints' : 'does not print'} ${JSON.stringify(text)}. Its console:\n${printed}`,
  };
}

expect.extend({ toReplayExactly, toReach, toNeverRaise, toPrint });

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations must agree
  interface Matchers<T = any> {
    /** The trace runs again to the same events and digests. Images that have moved are named. */
    toReplayExactly(access?: ImagePaths & CutAccess): T;
    /** An event of this kind (`kvm_exit`, `kvm_*`) whose text holds the rest is in the trace. */
    toReach(event: string, access?: CutAccess): T;
    /** No such event is in the trace. */
    toNeverRaise(event: string, access?: CutAccess): T;
    /** The guest printed this on its first serial line. */
    toPrint(text: string, access?: CutAccess): T;
  }
}
