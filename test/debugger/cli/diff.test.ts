import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { diff } from '../../../src/debugger/cli/diff.ts';
import { recordTour, traceFolder } from '../recorded-tour.ts';

const folder = traceFolder();
const path = (name: string): string => join(folder, `${name}.trace`);

beforeAll(() => {
  for (const seed of ['1', '2']) recordTour(path(seed), ['-smp', '2', '--seed', seed], 120_000);
  recordTour(path('again'), ['-smp', '2', '--seed', '1'], 120_000);
});

function differences(a: string, b: string): { readonly status: number; readonly text: string } {
  const lines: string[] = [];
  const status = diff(path(a), path(b), (line) => void lines.push(line));
  return { status, text: lines.join('\n') };
}

describe('the diff of two runs with several processors', () => {
  test('names the turn that differs, the numbers drawn for it, and the stream they come from', () => {
    const { status, text } = differences('1', '2');
    expect(status).toBe(3);
    expect(text).toContain('Seeds differ: 1 in A, 2 in B.');
    const cause = /The cause: a turn of (\d+) ticks in A and of (\d+) in B, drawn for vCPU 0 at tick (\d+)\n/;
    expect(text).toContain("\nfrom the random stream 'scheduler' (number 1; seed 1 in A, 2 in B).");
    const [, quantumA, quantumB, from] = (cause.exec(text) ?? []).map(Number);
    // The shorter turn ends after as many ticks as were drawn for it; in the other the guest went on.
    const [, tickA, tickB] = (/^ {2}- \d+ tick (\d+) .*\n {2}\+ \d+ tick (\d+) /m.exec(text) ?? []).map(Number);
    expect(quantumA).toBeLessThan(quantumB);
    expect(tickA - from).toBe(quantumA);
    expect(tickB - from).toBeGreaterThan(quantumA);
    expect(text).toMatch(/In A it follows from:[\s\S]*In B it follows from:/);
  });

  test('of one seed finds nothing', () => {
    const { status, text } = differences('1', 'again');
    expect(text).toContain('the runs do not differ');
    expect(status).toBe(0);
  });
});
