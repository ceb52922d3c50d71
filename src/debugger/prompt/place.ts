import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import { isMark, markOf } from '../../replay/places.ts';
import type { Mark } from '../../replay/timeline.ts';
import { evaluate } from '../look/vantage.ts';
import type { DebugSession } from '../session.ts';
import { findNext } from '../stops/stop-search.ts';
import { parseBreak } from '../stops/stops.ts';
import { wordsIn } from '../stops/stop-words.ts';

/**
 * The place somebody types: what `markOf` reads, counted from where the session stands, or the first time an address
 * is about to be executed: `0x...`, `SYMBOL`, `SYMBOL+0x12`. The session is elsewhere afterwards.
 */
export function* placeOf(session: DebugSession, words: string): Work<Mark | number> {
  if (isMark(words)) return yield* markOf(words, placedIn(session), session.now);
  const address = addressOf(session, words);
  const stop = parseBreak(`0x${address.toString(16)}`, wordsIn(session));
  yield* session.going(0);
  if ((yield* findNext(session, [stop])) === undefined) throw new Problem(`${words} is never executed in this run.`);
  return session.now;
}

const placedIn = ({ run: { events, timeline } }: DebugSession) => ({ events, pace: timeline.machine.state.config });

/** One the guest may have code at: a number that is no tick, a symbol or what is counted from one. */
function addressOf(session: DebugSession, words: string): bigint {
  const named = words.replace(/^<(.*)>$/, '$1');
  const [, name] = /^(0x[0-9a-f]+|[a-z_.$][\w.$]*)(\s*[+-]\s*\w+)?$/i.exec(named) ?? [];
  const isKnown = name !== undefined && (/^[0$]/.test(name) || session.symbols.addressOf(name) !== undefined);
  if (isKnown) return evaluate(session, named);
  throw new Problem(`${words} is neither a place nor a kind of event nor an address: see \`help\`.`);
}
