import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answer, printed, retrovisor } from '../guests/command-line.ts';
import { replay } from '../../src/cli/replay-commands.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { firstOf, LONG } from '../how-long.ts';
import { fakeBzImage } from '../vmm/loaders/kernels.ts';
import { writeFlatKernel } from './flat-kernel.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bad-'));
const TOUR_TRACE = fileURLToPath(new URL('../../traces/tour.trace', import.meta.url));
const at = (name: string): string => join(folder, name);
writeFileSync(at('text'), 'not a trace, not a kernel\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

writeFileSync(at('bzImage'), fakeBzImage({ initSize: 64 << 20 }));

const flatKernel = (name: string, code: readonly number[]): string => writeFlatKernel(at(name), code);

describe('bad input is answered with one sentence and a status', () => {
  test.each([
    ['an unknown option', ['run', '-kernle', 'x'], 2, 'Unknown option -kernle'],
    ['an unknown command', ['rum'], 2, "unknown command 'rum'"],
    ['a missing trace', ['replay', at('none')], 1, 'there is no such file'],
    ['a file that is no trace', ['events', at('text')], 1, 'is not a Retrovisor trace'],
    ['a folder instead of a trace', ['stat', folder], 1, 'is not a file'],
    ['a missing kernel', ['run', '-kernel', at('none'), '--no-trace'], 1, 'there is no such file'],
    ['a kernel that is none', ['run', '-kernel', at('text'), '--no-trace'], 1, 'text'],
    ['a missing initrd', ['run', '-kernel', at('bzImage'), '-initrd', at('none'), '--no-trace'], 1, 'the initrd'],
    ['too little memory', ['run', '-kernel', at('bzImage'), '-m', '32', '--no-trace'], 1, 'give it more with -m'],
    ['firmware that is none', ['run', '-bios', at('text'), '--no-trace'], 1, 'multiple of 64 KiB'],
    ['a trace in no folder', ['run', '--trace', at('none/x.trace')], 1, 'there is no folder'],
    ['a trace path that holds something else', ['run', '--trace', at('text')], 1, 'left as it is'],
    ['a gdb at no port', ['run', '-gdb', 'tcp:0.0.0.0', '--no-trace'], 2, 'write tcp::PORT'],
    ['symbols of a missing trace', ['symbols', at('none')], 1, 'there is no such file'],
    ['a kind of event nobody knows', ['events', at('text'), '--event', 'frob'], 2, 'frob'],
    ['a column nobody knows', ['events', at('text'), '--columns', 'sqe'], 2, 'did you mean seq?'],
    ['CSV and JSON at once', ['events', at('text'), '--csv', '--json'], 2, 'cannot be used with'],
    ['a source nobody knows', ['events', TOUR_TRACE, '--source', 'vcpu1'], 2, 'did you mean vcpu0?'],
    ['a statistic nobody knows', ['stat', at('text'), '--event', 'mmoi'], 2, 'did you mean mmio?'],
    ['a console of no trace', ['console', at('text')], 1, 'is not a Retrovisor trace'],
    ['a console that printed nothing', ['console', TOUR_TRACE, '--device', 'serial3'], 1, 'there is serial0'],
  ])('%s', async (_, args, status, words) => {
    const ran = await answer(args);
    expect(ran.err).toContain(words);
    expect(ran.err.trim().split('\n')).toHaveLength(1);
    expect(ran.err).toMatch(/^retrovisor: /);
    expect(ran.status).toBe(status);
  });

  test.each([
    ['of events', ['events', at('text'), '--if', 'exit_reson == 1']],
    ['of statistics', ['stat', at('text'), '--if', 'prot == 1']],
  ])('a condition %s that cannot be read, with a caret below it', async (_, args) => {
    const ran = await answer(args);
    expect(ran.err).toMatch(/^retrovisor: No field is named .*\(column 1\)\n {2}\w+ == 1\n {2}\^\n$/);
    expect(ran.status).toBe(2);
  });

  test.each([
    ['an unknown command', ['rum'], 2],
    ['a missing trace', ['replay', at('none')], 1],
  ])('%s, in a process of its own', async (_, args, status) => {
    expect(retrovisor(args, '', 1)).toEqual({ status, out: '', err: (await answer(args)).err });
  });
});

describe('a guest that cannot go on ends with status 4 and a trace that replays', () => {
  const ENDS = [
    ['by a triple fault', [0x0f, 0x0b], 'vCPU 0 met a triple fault at rip 0x100020'],
    ['by a jump into nothing', [0xb8, 0, 0, 0, 0xf0, 0xff, 0xe0], 'at rip 0xf0000000'],
    ['by halting for good', [0xfa, 0xf4], 'The guest halted and nothing is left that could wake it.'],
  ] as const;
  test.each(firstOf(1, ENDS))('%s', async (name, code, words) => {
    const trace = at(`${name}.trace`);
    const args = ['-kernel', flatKernel(name, code), '-nodefaults', '-no-reboot', '-serial', 'stdio', '--trace', trace];
    const ran = retrovisor(['run', ...args], '', 1);
    expect(ran.err).toContain(words);
    expect(ran.status).toBe(4);
    expect(await printed((print) => replay(trace, {}, print))).toContain('0 divergences');
  });
});

describe('a trace that is not as it was written', () => {
  let whole: Buffer;
  beforeAll(() => {
    recordRun(['--trace', at('whole.trace')]);
    whole = readFileSync(at('whole.trace'));
  });
  const changed = (name: string, change: (bytes: Buffer) => Buffer): string => {
    writeFileSync(at(name), change(Buffer.from(whole)));
    return at(name);
  };

  test('cut off is replayed up to the cut, and the cut is named', LONG, () => {
    const trace = changed('cut.trace', (bytes) => bytes.subarray(0, bytes.length - 2000));
    const ran = retrovisor(['replay', trace], '', 1);
    expect(ran.err).toMatch(/cut\.trace is cut off at byte \d+/);
    expect([ran.status, ran.out.includes('0 divergences')]).toEqual([1, true]);
  });

  test('altered is refused from the altered place on', async () => {
    const trace = changed('altered.trace', (bytes) => {
      bytes[bytes.length - 3000]! ^= 1;
      return bytes;
    });
    const ran = await answer(['replay', trace]);
    expect(ran.err).toMatch(/is damaged in chunk \d+ \(bytes \d+ to \d+\)/);
    expect(ran.status).toBe(1);
  });

  test('of a newer format is refused by its number', async () => {
    const trace = changed('newer.trace', (bytes) => {
      bytes[8] = 9;
      return bytes;
    });
    const ran = await answer(['replay', trace]);
    expect(ran.err).toContain('is in trace format 9');
    expect(ran.status).toBe(1);
  });

  test('with another kernel than it was recorded with is refused', async () => {
    const kernel = flatKernel('short', [0xfa, 0x90, 0xf4]);
    recordRun(['-kernel', kernel, '-nodefaults', '-serial', 'stdio', '--trace', at('short.trace')]);
    flatKernel('short', [0xfa, 0xfa, 0xf4]);
    const ran = await answer(['replay', at('short.trace')]);
    expect(ran.err).toContain('1 of 1 images');
    expect(ran.status).toBe(1);
  });
});
