import { finish } from '../base/work.ts';
import { expect } from 'vitest';
import type { Tick } from '../base/units.ts';
import { printable } from '../base/printable.ts';
import { filterOf, matcher } from '../replay/export/event-filter.ts';
import { ConsoleText, consolesOf } from '../replay/export/console-text.ts';
import { printedIn } from '../replay/export/print-pattern.ts';
import { endOf, nextEvent } from '../replay/places.ts';
import { describeStamped } from '../replay/divergence.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { askEvents, divergenceOf } from './recorded-guest.ts';

export { recordGuest, type RecordedGuest } from './recorded-guest.ts';

/** What the matchers look at: a trace's path, or what `recordGuest` gave. */
export type TraceUnderTest = string | { readonly trace: string };

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
}

const pathOf = (trace: TraceUnderTest): string => (typeof trace === 'string' ? trace : trace.trace);

/** A sentence, and how to stand where it happened. */
const at = (trace: string, tick: Tick, sentence: string): string =>
  `${sentence}\n${trace} opens there: npx retrovisor debug ${quoted(trace)} --at ${tick}`;

const quoted = (path: string): string => (/^[\w./@-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** What is so of a trace that may be cut. */
export interface CutAccess {
  /** Take what there is of a trace whose recorder did not end for the whole. */
  readonly acceptCut?: boolean;
}

/** Which console is meant, too. */
export interface PrintAccess extends CutAccess {
  /** `serial0`, unless this says `serial1` to `serial3`, or a device with a `chardev`. */
  readonly device?: string;
}

/** Every event and digest comes out as recorded when the trace is run again. */
function toReplayExactly(received: TraceUnderTest, access: ImagePaths & CutAccess = {}): Outcome {
  const trace = pathOf(received);
  const fault = divergenceOf(trace, access);
  return {
    pass: fault === undefined,
    message: () =>
      fault === undefined ? `${trace} replays exactly, and was expected not to.` : at(trace, fault.tick, fault.said),
  };
}

/**
 * Some event is of this kind, with `*` for anything, its text holds the rest, and a condition holds of it:
 * `kvm_exit TRIPLE_FAULT`, `kvm_exit if exit_reason == EPT_VIOLATION && gpa >= 0xfec00000`.
 */
function toReach(received: TraceUnderTest, event: string, access: CutAccess = {}): Outcome {
  const trace = pathOf(received);
  const { reached, end } = askEvents(trace, access, (events) => {
    const found = finish(nextEvent(events, 0, matcher(filterOf(event))));
    const reached = found === undefined ? undefined : { tick: found.tick, said: describeStamped(found) };
    return { reached, end: endOf(events).tick };
  });
  if (reached === undefined) return { pass: false, message: () => at(trace, end, `No event of ${trace} is ${event}.`) };
  const sentence = `${trace} was expected never to reach ${event}, and does:\n${reached.said}`;
  return { pass: true, message: () => at(trace, reached.tick, sentence) };
}

/** No event is of this kind with this text. */
function toNeverRaise(received: TraceUnderTest, event: string, access: CutAccess = {}): Outcome {
  const { pass, message } = toReach(received, event, access);
  return { pass: !pass, message };
}

/** Most characters of a console that a message shows: its end. */
const SHOWN = 2000;

/** The guest printed this text on a console, or a line that matches. */
function toPrint(received: TraceUnderTest, wanted: string | RegExp, access: PrintAccess = {}): Outcome {
  const { device = 'serial0' } = access;
  const trace = pathOf(received);
  const [printed, end] = askEvents(trace, access, (events) => [
    finish(consolesOf(events)).get(device) ?? new ConsoleText(),
    endOf(events).tick,
  ]);
  const { value: found } = printedIn(printed, wanted).next();
  const what = typeof wanted === 'string' ? JSON.stringify(wanted) : String(wanted);
  if (found !== undefined) {
    const sentence = `The guest prints ${what} on ${device} at tick ${found.tick} (event #${found.seq}).`;
    return { pass: true, message: () => at(trace, found.tick, sentence) };
  }
  const shown = printable(printed.text.slice(-SHOWN));
  const sentence = `The guest does not print ${what} on ${device}. Its console ends so:\n${shown}`;
  return { pass: false, message: () => at(trace, end, sentence) };
}

expect.extend({ toReplayExactly, toReach, toNeverRaise, toPrint });

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations must agree
  interface Matchers<T = any> {
    /** The trace runs again to the same events and digests. Images that have moved are named. */
    toReplayExactly(access?: ImagePaths & CutAccess): T;
    /** An event of this kind (`kvm_exit`, `kvm_*`) whose text holds the rest, or `if CONDITION`, is in the trace. */
    toReach(event: string, access?: CutAccess): T;
    /** No such event is in the trace. */
    toNeverRaise(event: string, access?: CutAccess): T;
    /** The guest printed this, or a line that matches, on its first serial line, or on another console. */
    toPrint(wanted: string | RegExp, access?: PrintAccess): T;
  }
}
