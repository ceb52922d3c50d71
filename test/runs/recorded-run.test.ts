import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { printEvents } from '../../src/cli/events-command.ts';
import { printStatistics } from '../../src/cli/stat-command.ts';
import { printInfo } from '../../src/cli/trace-commands.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openRunWithoutImages } from '../../src/runs/recorded/recorded-run.ts';

const OLD = fileURLToPath(new URL('../replay/trace/recorded/format-1.trace', import.meta.url));

test('a trace of an older format is not run again, and a sentence says what can be done', () => {
  const refusal = /^\S+format-1\.trace is in trace format 1, written by Retrovisor 0\.1\.0: `info`.* a new recording/;
  for (const open of [openRecordedRun, openRunWithoutImages]) expect(() => open(NODE, OLD, {})).toThrow(refusal);
});

test('what only looks at a trace reads an older one', async () => {
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  expect(await printInfo(OLD, print)).toBe(0);
  expect(await printEvents(OLD, {}, { limit: 100 }, print)).toBe(0);
  expect(await printStatistics(OLD, {}, print)).toBe(0);
  expect(lines.filter((line) => line.includes('kvm_pio:'))).toHaveLength(5);
  expect(lines.filter((line) => /kvm_halt_poll_ns.*"new":20000/.test(line))).toHaveLength(1);
});
