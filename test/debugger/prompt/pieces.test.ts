import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { finish, leave } from '../../../src/base/work.ts';
import { PROMPT_COMMANDS } from '../../../src/debugger/prompt/commands.ts';
import { answering, answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import type { DebugSession } from '../../../src/debugger/session.ts';
import { firstOf, LONG } from '../../how-long.ts';
import { debugTour, recordTour, traceFolder } from '../recorded-tour.ts';
import { LONG_LINES, QUICK_COMMANDS } from './long-lines.ts';

const TICKS = 120_000;
const HERE = 80_000;
/** Most that is run between two looks at whether somebody wants to stop. */
const TICKS_MOST = 4 << 16;
const EVENTS_MOST = 1 << 13;

const trace = join(traceFolder(), 'tour.trace');
const ALL = ['at', 'regs', 'events 4'];

beforeAll(() => recordTour(trace, [], TICKS));

/** Stand in the middle of the run, which has to be run again to get anywhere else. */
function inTheMiddle(): DebugSession {
  const session = debugTour(trace, Number.MAX_SAFE_INTEGER);
  session.goTo(HERE);
  return session;
}

test('every command of the prompt is one that takes time or one that does not', () => {
  const named = [...LONG_LINES.map((line) => line.split(' ')[0]), ...QUICK_COMMANDS];
  expect([...new Set(named)].sort()).toEqual(Object.keys(PROMPT_COMMANDS).sort());
});

test.each(firstOf(5, LONG_LINES))(
  '%s goes in small pieces, and left after any the session answers as before',
  (line) => {
    const session = inTheMiddle();
    const asked = ALL.map((each) => answerPrompt(session, each));
    const ran = piecesOf(session);
    const work = answering(session, line);
    for (let left = 1 + (line.length % 4); left > 0; left -= 1) {
      const { done, value } = work.next();
      expect(ran()).toBe('little');
      if (done === true) break;
      expect(value ?? 0).toBeGreaterThanOrEqual(0);
      expect(value ?? 0).toBeLessThanOrEqual(1);
    }
    const { tick } = session.now;
    finish(leave(work));
    // A question leaves the session where it stands, a journey where it has come to.
    if (line.startsWith('rcontinue') || PROMPT_COMMANDS[line.split(' ')[0] as string]?.isQuestion === true) {
      expect(session.now.tick).toBe(HERE);
    } else expect(session.now.tick).toBe(tick);
    session.goTo(HERE);
    expect(ALL.map((each) => answerPrompt(session, each))).toEqual(asked);
    expect(session.divergence()).toBeUndefined();
  },
);

/** Says of what a session's machine has run since it was last asked whether it was little. */
function piecesOf({ run: { timeline } }: DebugSession): () => string {
  const { machine } = timeline;
  const ran = { ticks: 0, events: 0 };
  const advance = machine.advance.bind(machine);
  vi.spyOn(machine, 'advance').mockImplementation((until) => {
    const [ticks, events] = [machine.ticks, machine.seq];
    const reason = advance(until);
    ran.ticks += machine.ticks - ticks;
    ran.events += machine.seq - events;
    return reason;
  });
  return () => {
    const { ticks, events } = ran;
    [ran.ticks, ran.events] = [0, 0];
    return ticks <= TICKS_MOST && events <= EVENTS_MOST ? 'little' : `${ticks} ticks and ${events} events`;
  };
}

describe('in pieces as at once', LONG, () => {
  test.each(LONG_LINES)('%s comes to the same', (line) => {
    const session = inTheMiddle();
    const once = answerPrompt(session, line);
    const place = session.now;
    session.goTo(HERE);
    const work = answering(session, line);
    let step = work.next();
    while (step.done !== true) step = work.next();
    expect(step.value.text).toBe(once);
    expect(session.now).toEqual(place);
  });
});
