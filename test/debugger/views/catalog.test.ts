import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerMonitor } from '../../../src/cli/monitor.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { PROMPT_COMMANDS } from '../../../src/debugger/prompt/commands.ts';
import { type DebugSession, openDebugSession } from '../../../src/debugger/session.ts';
import { VIEW_NAMES } from '../../../src/debugger/views/asked.ts';
import { VIEWS } from '../../../src/debugger/views/catalog.ts';
import { describeMonitor } from '../../../src/gdb/monitor.ts';
import type { StubSubject } from '../../../src/gdb/stub-subject.ts';
import { subjectOf } from '../../../src/gdb/subject.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { recordTour, traceFolder } from '../recorded-tour.ts';

/** What may follow a view's name, for those that need it. */
const WORDS: Readonly<Record<string, string>> = { x: '/4xg $rsp', xp: '/4xg 0x1000', translate: '$pc' };
const TICK = 20_000;

const folder = traceFolder();
let recorded: RecordedTimeline;
let session: DebugSession;
let subject: StubSubject;

beforeAll(() => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace, ['-smp', '2', '-netdev', 'user,id=n0', '-device', 'e1000,netdev=n0']);
  recorded = openTimeline(openRecordedRun(NODE, trace, {}));
  subject = subjectOf(recorded);
  session = openDebugSession(recorded);
  session.goTo(TICK);
});

const inGdb = (line: string): string => {
  const answer = describeMonitor(subject, session.vcpu, line);
  for (;;) {
    const { done, value } = answer.next();
    if (done === true) return value;
  }
};

describe.each(Object.entries(VIEWS))('the view %s', (name, view) => {
  const words = WORDS[name] ?? '';

  test('is plain values that stay as they are while the machine goes on', () => {
    session.goTo(TICK);
    const seen = view.look(session, words);
    const copy = structuredClone(seen);
    expect(seen).toBeDefined();
    session.step(2000);
    expect(seen).toEqual(copy);
  });

  test("says the same at the prompt, in gdb's monitor and in a run's", () => {
    session.goTo(TICK);
    session.vcpu = 0;
    const text = view.text(session, words);
    expect(text).not.toBe('');
    const live = { view: session.view, isStopped: true };
    for (const called of [name, ...(view.also ?? [])]) {
      const line = words.startsWith('/') ? `${called}${words}` : `${called} ${words}`.trim();
      expect(answerPrompt(session, line)).toBe(text);
      expect(answerMonitor(live, line).text).toBe(text);
      expect(inGdb(line)).toBe(text);
    }
  });

  test('is named by every help', () => {
    const answers = [answerPrompt(session, 'help'), inGdb('help'), answerMonitor(session as never, 'help').text];
    for (const answer of answers) expect(answer).toMatch(new RegExp(`^${name}\\b.*${view.help.slice(0, 12)}`, 'm'));
  });
});

test('no view has the name of another or of a command', () => {
  expect(new Set(VIEW_NAMES).size).toBe(VIEW_NAMES.length);
  expect(VIEW_NAMES.filter((name) => name in PROMPT_COMMANDS)).toEqual([]);
});

test('a view of each processor is had of one or of all', () => {
  session.goTo(TICK);
  const [one, other] = ['info registers 0', 'info registers 1'].map((line) => answerPrompt(session, line));
  expect(answerPrompt(session, 'info registers -a')).toBe(`${one}\n\n${other}`);
  expect(answerPrompt(session, 'lapic 2')).toBe('There is no CPU 2: 0 to 1.');
});
