import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debugRun } from '../../src/api/index.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

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
