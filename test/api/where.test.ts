import { fileURLToPath } from 'node:url';
import { filter, lastValueFrom, take, toArray } from 'rxjs';
import { expect, test } from 'vitest';
import { briefOf, openTrace, where } from '../../src/api/index.ts';

const TOUR = fileURLToPath(new URL('../../traces/tour.trace', import.meta.url));

test("a program asks for a run's events by the conditions the command line has", async () => {
  const trace = openTrace(TOUR);
  const meant = where('exit_reason == CPUID || kind == "kvm_cpuid" && function == 0');
  const found = await lastValueFrom(trace.events$.pipe(filter(meant), take(2), toArray()));
  trace.close();
  expect(found.map(({ event }) => event.kind)).toEqual(['kvm_exit', 'kvm_cpuid']);
  expect(briefOf(found[0]!.event)).toMatch(/^reason CPUID .*rip 0x/);
  expect(() => where('exit_reson == 1')).toThrow('(column 1)');
});
