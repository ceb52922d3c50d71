import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { machineFileIn } from '../../src/cli/machine-file-in.ts';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { writeFlatKernel } from './flat-kernel.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const BIN = join(import.meta.dirname, '../../bin/retrovisor.js');

/** Our own guest, twice. */
function twoTours(): string {
  writeFileSync(file('two.json'), JSON.stringify({ common: { nic: 'none' }, machines: { one: {}, two: { smp: 2 } } }));
  return file('two.json');
}

test('a file of machines is told from the machine QEMU knows', () => {
  expect(machineFileIn(['--machine', 'net.json'])).toBe('net.json');
  expect(machineFileIn(['-m', '64', '-machine', twoTours()])).toBe(file('two.json'));
  expect(machineFileIn(['-machine', 'pc,accel=kvm'])).toBeUndefined();
  expect(machineFileIn(['-M', 'q35'])).toBeUndefined();
  expect(machineFileIn(['-kernel', 'net.json'])).toBeUndefined();
});

describe('a run of several machines', LONG, () => {
  test('is said at its start and its end, and verified', () => {
    const trace = file('two.trace');
    const ran = retrovisor(['run', '--machine', twoTours(), '--trace', trace]);
    expect(ran).toMatchObject({ status: 0, out: expect.stringMatching(/^one \| .*$/m) });
    expect(ran.out).toMatch(/^two \| .*$/m);
    expect(ran.err).toContain(`recording one, two into ${trace}`);
    expect(ran.err).toMatch(/one: \d+ events, \d+ instructions/);
    expect(retrovisor(['verify', trace])).toMatchObject({
      status: 0,
      out: expect.stringContaining('2 of 2 traces equal'),
    });
  });

  test('is typed at by scripts of each, which replay', () => {
    // Echoes what it is sent, and ends with a q: 32-bit code, by COM1 and isa-debug-exit.
    const poll = [0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb];
    const echo = [0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, 0x71, 0x75, 0xed];
    const end = [0xb0, 0x0a, 0xee, 0x66, 0xba, 0xf4, 0x00, 0xee, 0xf4];
    const kernel = writeFlatKernel(file('echoes'), [...poll, ...echo, ...end]);
    const common = { kernel, nodefaults: true, serial: 'stdio', device: 'isa-debug-exit,iobase=0xf4,iosize=4' };
    writeFileSync(file('typed.json'), JSON.stringify({ common, machines: { one: { type: ['ab'] }, two: {} } }));
    const run = (trace: string, ...types: string[]) =>
      retrovisor([
        ...['run', '--machine', file('typed.json'), '--trace', file(trace), '--wall-clock', '17'],
        ...types.flatMap((type) => ['--type', type]),
      ]);
    const typed = ['one=after:b:cq', 'two=x', 'two=after:x:yq'];
    const ran = run('typed.trace', ...typed);
    expect(ran).toMatchObject({ status: 21, out: expect.stringMatching(/^one \| abcq\r?$/m) });
    expect(ran.out).toMatch(/^two \| xyq\r?$/m);
    expect(retrovisor(['verify', file('typed.trace')]).status).toBe(0);
    run('again.trace', ...typed);
    for (const name of ['one', 'two']) {
      const diff = retrovisor(['diff', `${file('typed.trace')}:${name}`, `${file('again.trace')}:${name}`]);
      expect(diff.out).toContain('the runs do not differ');
    }
    expect(run('none.trace', 'three=x')).toMatchObject({ status: 2, err: expect.stringContaining('MACHINE=TEXT') });
  });

  test('is over with those that are waited for', () => {
    const kernel = writeFlatKernel(file('halts'), [0xfa, 0xf4]);
    const machines = { one: {}, idle: { kernel, nodefaults: true } };
    const path = file('served.json');
    const ran = (servers: object) => {
      writeFileSync(path, JSON.stringify({ common: { nic: 'none' }, machines, ...servers }));
      return retrovisor(['run', '--machine', path, '--trace', file('served.trace')]);
    };
    expect(ran({})).toMatchObject({ status: 4, err: expect.stringContaining('idle: halted, and nothing is left') });
    expect(ran({ servers: ['idle'] })).toMatchObject({ status: 0, err: expect.stringContaining('It served') });
    expect(retrovisor(['verify', file('served.trace')])).toMatchObject({ status: 0 });
  });

  test('has checkpoints of each, left while recording or afterwards, that lead where the run leads', () => {
    const trace = file('kept.trace');
    const asked = [
      'debug',
      `${trace}:two`,
      '--batch',
      '--ex',
      'at 70%',
      '--ex',
      'regs',
      '--ex',
      'vm one',
      '--ex',
      'regs',
    ];
    const run = ['run', '--machine', twoTours(), '--trace', trace, '--wall-clock', '1700000000'];
    expect(retrovisor(run).status).toBe(0);
    const before = retrovisor(asked).out;
    const kept = (ran: { out: string }) => ran.out.match(/^[1-9]\d* checkpoints in /gm);
    expect(kept(retrovisor(['index', trace, '--every', '50000']))).toHaveLength(2);
    expect(retrovisor(asked)).toEqual({ status: 0, out: before, err: '' });
    expect(retrovisor([...run, '--checkpoints'])).toMatchObject({ status: 0 });
    expect(retrovisor(asked)).toEqual({ status: 0, out: before, err: '' });
    for (const name of ['one', 'two']) {
      expect(existsSync(`${trace}:${name}.ckpt`)).toBe(true);
      expect(retrovisor(['info', `${trace}:${name}`]).err).toBe('');
    }
    expect(retrovisor([...run, '--no-trace', '--checkpoints']).err).toContain('--checkpoints needs a trace');
  }, 600_000);

  test('that a person ends leaves what can be read of each', async () => {
    const trace = file('ended.trace');
    const running = spawn(process.execPath, [BIN, 'run', '--machine', twoTours(), '--trace', trace], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(running.stdout, 'data');
    running.kill('SIGINT');
    const [status] = (await once(running, 'close')) as [number];
    expect(status).toBe(130);
    for (const name of ['one', 'two']) expect(retrovisor(['replay', `${trace}:${name}`]).status).toBe(0);
  });

  test('that cannot be had is refused with a sentence, and nothing is written', () => {
    const asked = (...more: string[]) =>
      retrovisor(['run', '--machine', twoTours(), '--trace', file('none.trace'), ...more]);
    expect(asked('-m', '64')).toMatchObject({
      status: 2,
      err: expect.stringContaining('stands in the file of --machine'),
    });
    expect(retrovisor(['run', '--machine', file('nowhere.json')])).toMatchObject({
      status: 1,
      err: expect.stringMatching(/the file of machines .*nowhere\.json: there is no such file/),
    });
    writeFileSync(file('kernel.json'), '{ "machines": {\n "a": { "kernel": "/nowhere/vmlinuz" } } }');
    expect(retrovisor(['run', '--machine', file('kernel.json'), '--trace', file('none.trace')])).toMatchObject({
      status: 1,
      err: expect.stringContaining('/nowhere/vmlinuz'),
    });
    expect(retrovisor(['info', file('none.trace')]).status).not.toBe(0);
  });
});
