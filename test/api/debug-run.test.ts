import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debugRun, openTrace, rerun } from '../../src/api/index.ts';
import '../../src/testing/vitest.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';
import { LONG } from '../how-long.ts';

const folder = traceFolder();

test('a program stops in a run, looks around and goes back', () => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace, [], 16_000);
  const run = debugRun(trace);
  const cpuid = run.stopAt('break exit CPUID if a0 == 1');
  const met = run.next(cpuid, run.stopAt('watch $cr4'));
  expect(met?.stop.said).toBe('watch $cr4');
  expect(run.next(cpuid)?.event?.event).toMatchObject({ kind: 'kvm_exit', exit_reason: 10 });
  const { seq } = run.session;
  const out = run.stopAt('break port 0x3f8 out if val == 0x0a');
  expect(run.previous(out)?.event?.seq).toBeLessThan(seq);
  expect(run.value('$rdx & 0xffff')).toBe(0x3f8n);
  expect(run.ask('why $cr4')).toContain('mov cr4');
  expect(() => run.stopAt('frobnicate')).toThrow('is no stop');
});

test('whatever is opened again and again is closed', LONG, async () => {
  const trace = join(folder, 'again.trace');
  recordTour(trace, [], 16_000);
  const before = readdirSync('/proc/self/fd').length;
  for (let times = 0; times < 5; times += 1) {
    const opened = openTrace(trace);
    opened.at({ seq: 100, tick: 0 }).registers(0);
    opened.close();
    debugRun(trace).close();
    await rerun(trace);
    expect(trace).toReach('sim:powered_on');
    expect(trace).toNeverRaise('kvm_exit TRIPLE_FAULT');
    expect(() => debugRun(trace, { kernel: join(folder, 'none') })).toThrow('it is not at');
    expect(() => openTrace(join(folder, 'none'))).toThrow('there is no such file');
  }
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});
