import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import { Company } from '../../../src/debugger/prompt/company.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { NODE } from '../../../src/host/node.ts';
import { machinesAt } from '../../../src/host/trace-source.ts';
import { RecordedMachines } from '../../../src/runs/fabric/recorded-machines.ts';
import { joined } from '../../runs/fabric/recorded-pair.ts';
import { debugTour, recordTour, timesOf, traceFolder } from '../recorded-tour.ts';

const folder = traceFolder();
const [ONE, TWO] = [join(folder, 'one.trace'), join(folder, 'two.trace')];
recordTour(ONE, [], 20_000);
recordTour(TWO, ['-smp', '2'], 30_000);
const BOTH = joined(join(folder, 'both.trace'), { one: readFileSync(ONE), two: readFileSync(TWO) });

const { manifest } = machinesAt(BOTH)!;
const setting = { access: {}, heldBytes: 2 ** 28, say: () => undefined };
const standing = new Company(new RecordedMachines(NODE, BOTH, manifest, setting), 0);

const ask = (line: string): string => finish(standing.answering(line)).text;
const clock = (): number => standing.session.run.timeline.machine.now();

const TIMES = { one: timesOf(debugTour(ONE)), two: timesOf(debugTour(TWO)) };

/** Whether a session is where its machine was at a moment: neither an event nor an instruction further, or behind. */
function expectAt({ session, name }: Company, ns: number): void {
  const times = TIMES[name as keyof typeof TIMES];
  // What happens in the first moment is over once the machine is built.
  if (ns > 0) expect(times[session.seq - 1]).toBeLessThanOrEqual(ns);
  expect(times[session.seq]).toBeGreaterThan(ns);
  const { nsPerTick } = session.view.machine.state.config;
  const next = session.run.events[session.now.seq]!;
  if (next.tick > session.now.tick) expect(clock() + nsPerTick).toBeGreaterThan(ns);
}

describe('a place by virtual time', () => {
  test.each([0, 5_003, 41_160, 100_001, 133_337])('@%dns is where the machine stood then', (ns) => {
    ask(`at @${ns}ns`);
    expectAt(standing, ns);
  });

  test('is a number with its unit, within the run', () => {
    const { session } = standing;
    answerPrompt(session, 'at @0.1ms');
    const { tick } = session.now;
    answerPrompt(session, 'at start');
    answerPrompt(session, 'at @100us');
    expect(session.now.tick).toBe(tick);
    expect(answerPrompt(session, 'at @5 parsecs')).toContain('is no virtual time');
    expect(answerPrompt(session, 'at @9s')).toMatch(/@9s lies outside the run: it ends at @\d+ns/);
  });
});

describe('standing in one of several machines', () => {
  test('`vm` leads to another at the same moment, and back to where one stood', () => {
    ask('at 8000');
    const [ns, place] = [clock(), standing.session.now];
    expect(ask('vm two')).toMatch(new RegExp(`^two @${ns}ns: tick \\d+`));
    expect(standing.name).toBe('two');
    expectAt(standing, ns);
    const there = standing.session.now;
    for (const name of ['one', 'two', 'one']) ask(`vm ${name}`);
    expect(standing.session.now).toEqual(place);
    ask('vm two');
    expect(standing.session.now).toEqual(there);
  });

  test('whoever goes on or back takes the moment along', () => {
    ask('at 8000');
    ask('vm two');
    ask('back 3000');
    const ns = clock();
    ask('vm one');
    expect(standing.session.now.tick).toBeLessThan(8000);
    expectAt(standing, ns);
    expect(ask('vm')).toBe(`> one\n  two\nIt is @${ns}ns.`);
  });

  test('one that was over by then stands at its end', () => {
    ask('vm two');
    ask('at start');
    ask('at end');
    expect(ask('vm one')).toMatch(/^one was over at @\d+ns\.\none @/);
    expect(standing.session.now.tick).toBe(20_000);
  });

  test('there is none of another name, and of one machine there is but one', () => {
    expect(ask('vm three')).toBe('There is no machine three: there are one, two.');
    expect(answerPrompt(debugTour(ONE), 'vm')).toBe('The run has one machine.');
  });
});
