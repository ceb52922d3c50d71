import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { printEvents } from '../../../src/cli/events-command.ts';
import { printStatistics, type StatOptions } from '../../../src/cli/stat-command.ts';
import { recordTour, traceFolder } from '../../debugger/recorded-tour.ts';
import { printed } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';
import { recount } from './recount.ts';

const SHORT = join(traceFolder(), 'short.trace');
const TOUR = fileURLToPath(new URL('../../../traces/tour.trace', import.meta.url));
const TWO = fileURLToPath(new URL('../../../traces/tour-smp2.trace', import.meta.url));

const stat = (trace: string, options: StatOptions): Promise<string> =>
  printed((print) => printStatistics(trace, options, print));
const json = async (trace: string): Promise<string[]> =>
  (await printed((print) => printEvents(trace, {}, { as: 'json', limit: Number.MAX_SAFE_INTEGER }, print)))
    .trim()
    .split('\n');

const SUBJECTS = ['vmexit', 'ioport', 'mmio', 'msr', 'cpuid', 'hypercall'] as const;

describe('statistics', () => {
  test('are what a recount of the printed events comes to, with both times', async () => {
    recordTour(SHORT, [], 1500);
    const events = await json(SHORT);
    for (const event of ['vmexit', 'ioport', 'msr'] as const) {
      const rows = (await stat(SHORT, { event, as: 'json' })).trim().split('\n');
      expect(rows.map((row) => JSON.parse(row))).toEqual(recount(events, event));
    }
  });

  test('of a whole run are what a recount comes to', LONG, async () => {
    const events = await json(TOUR);
    for (const event of SUBJECTS) {
      const rows = (await stat(TOUR, { event, as: 'json' })).trim().split('\n');
      expect(rows.map((row) => JSON.parse(row))).toEqual(recount(events, event));
      expect(rows.length).toBeGreaterThan(event === 'hypercall' ? 0 : 2);
    }
  });

  test('of one processor of two are those of its own exits', LONG, async () => {
    const events = await json(TWO);
    for (const vcpu of [0, 1]) {
      const rows = (await stat(TWO, { vcpu, as: 'json' })).trim().split('\n');
      expect(rows.map((row) => JSON.parse(row))).toEqual(recount(events, 'vmexit', vcpu));
    }
  });

  test('fit 80 columns, and name both times', async () => {
    for (const event of SUBJECTS) {
      const lines = (await stat(SHORT, { event })).trimEnd().split('\n');
      expect(lines[0]).toMatch(/guest code before it +virtual time after$/);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    }
  });

  test('are sorted as is asked for, and of what a condition holds', LONG, async () => {
    const keys = async (options: StatOptions): Promise<string[]> =>
      (await stat(TOUR, { ...options, as: 'csv' }))
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[0]!);
    const all = await keys({});
    expect(await keys({ key: 'name' })).toEqual([...all].sort());
    expect((await keys({ key: 'time' }))[0]).toBe('HLT');
    expect(await keys({ condition: 'exit_reason == HLT || exit_reason == CPUID' })).toEqual(['HLT', 'CPUID']);
  });

  test('refuse what there is not, with the nearest name', async () => {
    await expect(stat(TOUR, { event: 'msrs' })).rejects.toThrow('did you mean msr?');
    await expect(stat(TOUR, { key: 'tiem' })).rejects.toThrow('did you mean time?');
    await expect(stat(TOUR, { event: 'msr', condition: 'exit_reason == 1' })).rejects.toThrow('(column 1)');
    await expect(stat(TOUR, { vcpu: 1 })).rejects.toThrow('There is no vCPU 1');
  });
});
