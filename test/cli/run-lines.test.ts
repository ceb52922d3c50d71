import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closingLine, openingLine } from '../../src/cli/run-lines.ts';
import { encodeTrailer, TRAILER_LENGTH } from '../../src/replay/trace/chunk.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { scratchFolder } from '../guests/command-line.ts';

const folder = scratchFolder();
const FIGURES = { ticks: 5000, events: 120, exits: 7, virtualNs: 2.5e9 };

test('a run opens with what is recorded where, and how to get help and out', () => {
  const options = runOptions(['-kernel', '/boot/vmlinuz', '-m', '256', '-smp', '2', '--trace', 'x.trace']);
  const onTerminal = openingLine(options, { interactive: true, monitor: true });
  expect(onTerminal).toBe(
    'recording vmlinuz (256 MiB, 2 processors) into x.trace. Ctrl-A h helps, Ctrl-A x ends the run.',
  );
  expect(openingLine(options, { interactive: false, monitor: true })).toContain('Ctrl-C ends the run');
  expect(openingLine(options, { interactive: true, monitor: false })).toContain(`kill ${process.pid}`);
  const alone = openingLine(runOptions(['--no-trace']), { interactive: false, monitor: true });
  expect(alone).toMatch(/^running our own guest \(128 MiB, 1 processor\), not recorded\. /);
});

test('a run closes with how it ended, what it came to and what to try next', () => {
  const trace = join(folder, 'x.trace');
  const bytes = new Uint8Array(1500);
  bytes.set(encodeTrailer(1000), bytes.length - TRAILER_LENGTH);
  writeFileSync(trace, bytes);
  expect(closingLine({ trace }, FIGURES, { status: 0, sentence: 'Ended by Ctrl-A x.' })).toBe(
    `Ended by Ctrl-A x. 120 events, 1.5 kB, in ${trace}; 5000 instructions, 2.500 s of virtual time. ` +
      `\`retrovisor events ${trace}\` lists it, \`retrovisor debug ${trace}\` goes back in it.`,
  );
  expect(closingLine({ trace }, FIGURES, { status: 4, sentence: 'It halted.' })).toContain('`bt`');
  expect(closingLine({ trace: '/dev/null' }, FIGURES, { status: 3 })).toContain('status 3. 120 events in /dev/null;');
  expect(closingLine({ trace: undefined }, FIGURES, { status: 0 })).toContain('nothing was recorded.');
});

test('a run whose trace could not be written says so, and calls nothing whole', () => {
  const trace = join(folder, 'full.trace');
  writeFileSync(trace, new Uint8Array(1500));
  const line = closingLine({ trace }, FIGURES, {});
  expect(line).toContain(`${trace} has no end: not all of the 120 events could be written, 1.5 kB were; 5000 instr`);
  expect(line).not.toContain(`in ${trace}`);
});
