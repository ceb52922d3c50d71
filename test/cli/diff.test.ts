import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { diff } from '../../src/cli/diff.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

/** SDM Vol. 3, Appendix C. */
const EXTERNAL_INTERRUPT = 1;
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

/** How long the first turn lasts, by the host interrupt that ends it. */
function ticksOfFirstTurn(from: number, name: string): number | undefined {
  const { events } = readAll(openTraceFile(path(name)));
  const turns = events.filter(({ event }) => event.kind === 'sim:thread_switch');
  const end = events.find(({ event }) => event.kind === 'kvm_exit' && event.exit_reason === EXTERNAL_INTERRUPT);
  return end !== undefined && end.seq < (turns[1]?.seq ?? 0) ? end.tick - from : undefined;
}

describe('the diff of two runs with several processors', () => {
  test('names the turn that differs, the numbers drawn for it, and the stream they come from', () => {
    const { status, text } = differences('1', '2');
    expect(status).toBe(3);
    expect(text).toContain('Seeds differ: 1 in A, 2 in B.');
    const cause = /The cause: a turn of (\d+) ticks in A and of (\d+) in B, drawn for vCPU 0 at tick (\d+)\n/;
    expect(text).toContain("\nfrom the random stream 'scheduler' (number 1; seed 1 in A, 2 in B).");
    const [, quantumA, quantumB, from] = (cause.exec(text) ?? []).map(Number) as [number, number, number, number];
    expect(text).toContain(`in event.quantum: ${quantumA} in A, ${quantumB} in B.`);
    // The turn ends after as many ticks as were drawn for it, unless the guest has given it up.
    expect([quantumA, quantumB]).toContain(ticksOfFirstTurn(from, '1') ?? ticksOfFirstTurn(from, '2'));
  });

  test('of one seed finds nothing', () => {
    const { status, text } = differences('1', 'again');
    expect(text).toContain('the runs do not differ');
    expect(status).toBe(0);
  });
});
