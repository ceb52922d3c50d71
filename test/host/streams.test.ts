import { expect, test } from 'vitest';
import { openSession } from '../../src/host/open-session.ts';
import { runOptions } from '../../src/debugger/cli/run-arguments.ts';

test('a session is watched as streams, and watching changes nothing', () => {
  const figures = (watch: boolean) => {
    const options = runOptions(['--no-trace', '-display', 'none', '--wall-clock', '0', '--ticks', '300000']);
    const session = openSession(options, { serial: () => undefined, debugcon: () => undefined });
    let events = 0;
    const seqs: number[] = [];
    if (watch) {
      session.events.subscribe(() => {
        events++;
      });
      session.states.subscribe((state) => {
        expect(Object.isFrozen(state)).toBe(true);
        seqs.push(state.at.seq);
      });
    }
    for (let i = 0; i < 1000 && session.run(50, false).pause !== 'ended'; i++);
    const atRest = session.figures();
    session.close();
    return { atRest, figures: session.figures(), events, seqs };
  };
  const [quiet, watched] = [figures(false), figures(true)];
  expect(watched.figures).toEqual(quiet.figures);
  expect(watched.events).toBeGreaterThan(100);
  expect(watched.seqs.at(-1)).toBe(watched.atRest.events - 1);
  expect(watched.atRest.ticks).toBe(300_000);
});
