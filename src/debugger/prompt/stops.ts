import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import { describeStamped } from '../../replay/divergence.ts';
import { named } from '../look/vantage.ts';
import { type DebugSession, describePlace } from '../session.ts';
import { findNext, findPrevious, type Met } from '../stops/stop-search.ts';
import { parseBreak, parseWatch, type Stop } from '../stops/stops.ts';
import { wordsIn } from '../stops/stop-words.ts';
import { staying } from '../stops/windows.ts';

/** On or back: to an event of a kind, or without one to the next stop or the end of the run. */
export function* towards(session: DebugSession, words: string, isBack: boolean): Work<string> {
  const stops = words === '' ? session.stops : [meant(session, words)];
  const here = session.now;
  let isOver = false;
  let met: Met | undefined;
  try {
    met = yield* isBack ? findPrevious(session, stops) : findNext(session, stops);
    isOver = true;
  } catch (problem) {
    isOver = true;
    throw problem;
  } finally {
    // Where a search back has come to is no place on the way: what lies between was passed forwards.
    if (isBack && !isOver) yield* session.going(here);
  }
  if (met === undefined && words !== '') {
    yield* session.going(here);
    return `No ${isBack ? 'earlier' : 'further'} event is ${words}.`;
  }
  const place = describePlace(session);
  if (met?.stop.isOnce === true) session.stops.splice(session.stops.indexOf(met.stop), 1);
  if (met === undefined) return `${isBack ? 'The beginning' : 'The end'} of the run.\n${place}`;
  return `${words === '' ? describeMet(met, isBack) : describeStamped(met.event as Stamped)}\n${place}`;
}

/** A kind of event, or `print` and what. */
const meant = (session: DebugSession, words: string): Stop =>
  parseBreak(/^print\b/.test(words) ? words : `event ${words}`, wordsIn(session));

const WRITERS = {
  instruction: '',
  delivery: ' by the delivery of an event',
  walk: ' by a page walk',
  outside: ' from outside the guest',
} as const;

function describeMet({ stop, event, by }: Met, isBack: boolean): string {
  if (event !== undefined) return `${stop.said}: ${describeStamped(event)}`;
  if (stop.what === 'execute') return `A breakpoint: ${stop.said}.`;
  return `${isBack ? 'Before' : 'After'} a hit of ${stop.said}${WRITERS[by ?? 'instruction']}.`;
}

/** `find next|last break|watch ...`: where it would stop. The session stays where it is. */
export function find(session: DebugSession, words: string): Work<string> {
  const [, way, verb, rest = ''] = /^(next|last)\s+(break|watch)\b\s*(.*)$/.exec(words) ?? [];
  if (way === undefined) throw new Problem('Say which: `find next|last break|watch ...`.');
  const stop = (verb === 'break' ? parseBreak : parseWatch)(rest, wordsIn(session));
  return staying(session, found(session, stop, way === 'last'));
}

function* found(session: DebugSession, stop: Stop, isBack: boolean): Work<string> {
  const met = yield* (isBack ? findPrevious : findNext)(session, [stop]);
  if (met === undefined) return `${stop.said} is not met ${isBack ? 'before' : 'after'} here.`;
  return `${describeMet(met, isBack)}\n${describePlace(session)}`;
}

/** `break ...`: see `parseBreak`. */
export const setBreak = (session: DebugSession, words: string): string =>
  added(session, parseBreak(words, wordsIn(session)));

/** `tbreak ...`: the same, forgotten once it was met. */
export const setTemporary = (session: DebugSession, words: string): string =>
  added(session, { ...parseBreak(words, wordsIn(session)), said: `tbreak ${words}`, isOnce: true });

/** `watch ...`: see `parseWatch`. */
export const setWatch = (session: DebugSession, words: string): string =>
  added(session, parseWatch(words, wordsIn(session)));

function added(session: DebugSession, stop: Stop): string {
  session.stops.push(stop);
  return describeStop(session, stop, session.stops.length);
}

function describeStop(session: DebugSession, stop: Stop, number: number): string {
  const isPlaced = stop.what === 'execute' || stop.what === 'access';
  const where = isPlaced && stop.space === 'linear' ? `  ${named(session, stop.address)}` : '';
  return `${number}: ${stop.said}${where}`;
}

/** Everything to stop at, numbered. */
export function describeStops(session: DebugSession): string {
  const { stops } = session;
  if (stops.length === 0) return 'Nothing to stop at.';
  return stops.map((stop, at) => describeStop(session, stop, at + 1)).join('\n');
}

/** `delete [N]`. */
export function clearStops(session: DebugSession, words: string): string {
  const at = Number(words) - 1;
  if (words === '') session.stops.length = 0;
  else if (Number.isInteger(at) && at >= 0 && at < session.stops.length) session.stops.splice(at, 1);
  else throw new Problem(`There is no stop ${words}.`);
  return describeStops(session);
}
