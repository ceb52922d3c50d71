import { describe, expect, test } from 'vitest';
import { escapeAtStart, keyMeanings } from '../../src/cli/escape.ts';
import { answerMonitor } from '../../src/cli/monitor.ts';
import type { MonitorSubject } from '../../src/runs/underway/session.ts';
import { typist } from '../../src/runs/underway/typist.ts';

const keys = (...presses: string[]) => {
  const state = escapeAtStart();
  return presses.flatMap((press) => keyMeanings(state, Buffer.from(press, 'latin1')));
};
const typed = (text: string) => ({ key: 'typed', bytes: Uint8Array.from(Buffer.from(text, 'latin1')) });

describe('Ctrl-A', () => {
  test.each([
    ['plain keys are typed', ['ls\r'], [typed('ls\r')]],
    ['Ctrl-A x quits, also in two reads', ['a\x01', 'x'], [typed('a'), { key: 'quit' }]],
    ['Ctrl-A c opens the monitor after what was typed', ['ab\x01cd'], [typed('ab'), { key: 'monitor' }, typed('d')]],
    ['Ctrl-A Ctrl-A sends one', ['\x01\x01b'], [typed('\x01b')]],
    ['an unknown key after Ctrl-A is dropped', ['\x01zq'], [typed('q')]],
    ['Ctrl-C goes to the guest', ['\x03'], [typed('\x03')]],
  ])('%s', (_, presses, meanings) => expect(keys(...presses)).toEqual(meanings));
});

describe('a script of lines', () => {
  const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

  test('waits for what it names, also across writes', () => {
    const script = typist([{ after: '/ # ', text: 'uname\n' }]);
    expect(script.next()).toBeUndefined();
    script.hear(Buffer.from('booting\n/ '));
    expect(script.next()).toBeUndefined();
    script.hear(Buffer.from('# '));
    expect(text(script.next())).toBe('uname\n');
    expect(script.next()).toBeUndefined();
    expect(script.waitingFor()).toBeUndefined();
  });

  test('a prompt seen once serves one line only', () => {
    const script = typist([
      { after: '# ', text: 'a' },
      { after: '# ', text: 'b' },
    ]);
    script.hear(Buffer.from('# '));
    expect(text(script.next())).toBe('a');
    expect(script.next()).toBeUndefined();
    script.hear(Buffer.from('a\n# '));
    expect(text(script.next())).toBe('b');
  });
});

describe('monitor', () => {
  const subject: MonitorSubject = {
    registers: (vcpu) => `RAX of ${vcpu}`,
    memoryTree: () => 'tree',
    interruptControllers: () => 'pic0',
    localApic: (vcpu) => `lapic ${vcpu}`,
    vcpuCount: () => 2,
    status: () => 'VM status: running',
  };

  test.each([
    ['info registers', 'RAX of 0'],
    ['info registers -a', 'RAX of 0\n\nRAX of 1'],
    ['info lapic 1', 'lapic 1'],
    ['info lapic 7', 'There is no CPU 7: 0 to 1.'],
    ['info mtree', 'tree'],
    ['  info   pic ', 'pic0'],
    ['frobnicate', "Unknown command 'frobnicate'. `help` lists them."],
    ['', ''],
  ])('%s', (line, text) => expect(answerMonitor(subject, line).text).toBe(text));

  test('stop, cont and quit say what happens to the run', () => {
    expect(['stop', 'c', 'q'].map((line) => answerMonitor(subject, line).then)).toEqual(['stop', 'cont', 'quit']);
  });

  test('help names every command', () => expect(answerMonitor(subject, 'help').text).toContain('info mtree'));
});
