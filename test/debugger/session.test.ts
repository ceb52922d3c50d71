import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../src/base/work.ts';
import { type DebugSession, openDebugSession } from '../../src/debugger/session.ts';
import { indexTrace } from '../../src/runs/recorded/index-trace.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { digestOf } from '../../src/base/digest.ts';
import { chance } from '../replay/trace/mutated.ts';
import { firstOf, IS_WHOLE, LONG } from '../how-long.ts';
import { recordTour, traceFolder } from './recorded-tour.ts';

const TICKS = 660_000;
const folder = traceFolder();
const TRACES = { 'two processors': join(folder, 'two.trace'), 'one processor': join(folder, 'one.trace') };

beforeAll(() => {
  if (IS_WHOLE) recordTour(TRACES['one processor'], [], TICKS);
  recordTour(TRACES['two processors'], ['-smp', '2'], TICKS);
  for (const trace of firstOf(1, Object.values(TRACES))) finish(indexTrace(openRecordedRun(NODE, trace, {}), 100_000));
});

const NEVER = Number.MAX_SAFE_INTEGER;

/** A session that has no checkpoint but power-on. */
const straight = (trace: string): DebugSession =>
  openDebugSession(openTimeline(openRecordedRun(NODE, trace, {}), { every: NEVER }));

/** A session with checkpoints: stored ones, and those it leaves. */
const leaping = (trace: string): DebugSession =>
  openDebugSession(
    openTimeline(openRecordedRun(NODE, trace, {}), {
      every: 20_000,
      onStoredProblem: (sentence) => expect(sentence).toBe(''),
    }),
  );

const fingerprint = ({ run: { timeline }, now }: DebugSession): string =>
  `${now.seq} ${now.tick} ${digestOf(timeline.machine.state)} ${timeline.machine.pages.digest()}`;

describe.each(firstOf(1, Object.entries(TRACES)))('a session on a run of %s', (_, trace) => {
  test('comes to the state of a straight run, however a place is named', LONG, () => {
    const draw = chance(3);
    const { length } = openRecordedRun(NODE, trace, {}).read.events;
    const ticks = Array.from({ length: 4 }, () => `${draw(600_000)}`);
    const events = Array.from({ length: 6 }, () => `#${draw(length)}`);
    const named = ['12.5%', '99%', 'start', 'end', 'kvm_exit CPUID', 'sim:serial_sent', 'sim:thread*'];
    const session = leaping(trace);
    const other = straight(trace);
    for (const place of [...events, ...ticks, ...named.slice(0, trace === TRACES['one processor'] ? -1 : undefined)]) {
      session.at(place);
      other.at('start');
      other.at(place);
      expect([place, fingerprint(session)]).toEqual([place, fingerprint(other)]);
    }
    expect(session.divergence()).toBeUndefined();
  });

  test('steps back through the states it stepped forward through', () => {
    const session = leaping(trace);
    for (const place of ['25%', '97%']) {
      session.at(place);
      session.step(1);
      const seen: string[] = [];
      for (let at = 0; at < 60; at += 1) {
        seen.push(fingerprint(session));
        session.step(1);
      }
      for (const state of seen.reverse()) {
        session.step(-1);
        expect(fingerprint(session)).toBe(state);
      }
    }
  });
});
