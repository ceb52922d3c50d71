import { Problem } from '../base/problem.ts';
import { describeStamped } from '../replay/divergence.ts';
import { matcher } from './event-filter.ts';
import { afterEvent, endOf, filterOf, nextEvent, previousEvent } from './places.ts';
import { type DebugSession, describePlace, evaluate, named } from './session.ts';

/** On or back: to an event of a kind, or without one to the next stop or the end of the run. */
export function towards(session: DebugSession, words: string, isBack: boolean): string {
  if (words === '') return untilStop(session, isBack);
  const { events } = session.run;
  const isWanted = matcher(filterOf(words));
  const { seq } = session;
  const found = isBack ? previousEvent(events, seq - 1, isWanted) : nextEvent(events, seq, isWanted);
  if (found === undefined) return `No ${isBack ? 'earlier' : 'further'} event is ${words}.`;
  session.goTo(afterEvent(found));
  return `${describeStamped(found)}\n${describePlace(session)}`;
}

function untilStop(session: DebugSession, isBack: boolean): string {
  const { breakpoints, watchpoints, traveller } = session;
  const isFree = breakpoints.length === 0 && watchpoints.length === 0;
  const wanted = { breakpoints, watchpoints, isWanted: () => true };
  if (isFree) session.goTo(isBack ? 0 : endOf(session.run.events));
  const stop = isFree ? undefined : session.follow(isBack ? traveller.runBack(wanted) : traveller.run(wanted));
  const place = describePlace(session);
  if (stop?.why === 'break') return `A breakpoint.\n${place}`;
  if (stop?.why !== 'watch') return `${isBack ? 'The beginning' : 'The end'} of the run.\n${place}`;
  const { address = 0n, on = 'write' } = stop.watchpoint ?? {};
  const act = on === 'write' ? 'a write to' : 'an access of';
  return `${isBack ? 'Before' : 'After'} ${act} ${named(session, address)}.\n${place}`;
}

/** `break ADDR`. */
export function setBreak(session: DebugSession, words: string): string {
  const address = evaluate(session, words);
  session.breakpoints.push(address);
  return `Stops before ${named(session, address)}.`;
}

const LONGEST = 4096;

/** `watch ADDR[/BYTES] [read|access]`. */
export function setWatch(session: DebugSession, words: string): string {
  const match = /^(\S+?)(?:\/(\d+))?(?:\s+(read|access|write))?$/.exec(words);
  if (match === null) throw new Problem('Say which address: `watch ADDR[/BYTES] [read|access]`.');
  const length = Number(match[2] ?? 8);
  if (length < 1 || length > LONGEST) throw new Problem(`${length} is not a length from 1 to ${LONGEST}.`);
  const address = evaluate(session, match[1] as string);
  const on = (match[3] ?? 'write') as 'read' | 'access' | 'write';
  session.watchpoints.push({ address, length, on });
  return `Stops at a ${on} of ${length} bytes at ${named(session, address)}.`;
}

/** Everything to stop at, numbered: breakpoints first. */
export function describeStops(session: DebugSession): string {
  const { breakpoints, watchpoints } = session;
  const lines = [
    ...breakpoints.map((address) => `break ${named(session, address)}`),
    ...watchpoints.map(({ address, length, on }) => `watch ${named(session, address)}/${length} ${on}`),
  ];
  return lines.length === 0 ? 'Nothing to stop at.' : lines.map((line, at) => `${at + 1}: ${line}`).join('\n');
}

/** `delete [N]`. */
export function clearStops(session: DebugSession, words: string): string {
  const { breakpoints, watchpoints } = session;
  if (words === '') {
    breakpoints.length = 0;
    watchpoints.length = 0;
    return describeStops(session);
  }
  const at = Number(words) - 1;
  if (!Number.isInteger(at) || at < 0 || at >= breakpoints.length + watchpoints.length) {
    throw new Problem(`There is no stop ${words}.`);
  }
  if (at < breakpoints.length) breakpoints.splice(at, 1);
  else watchpoints.splice(at - breakpoints.length, 1);
  return describeStops(session);
}
