import { afterAll, describe, expect, test } from 'vitest';
import { escapeAtStart, keyMeanings } from '../../src/cli/escape.ts';
import { answerMonitor } from '../../src/cli/monitor.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
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
  const options = runOptions(['--no-trace', '-smp', '2', '-m', '4', '--wall-clock', '1700000000']);
  const subject = openSession(NODE, options, { serial: () => undefined, character: () => undefined });
  afterAll(() => subject.close());

  test.each([
    ['info registers', /^CPU#0\nRAX=[^#]*$/],
    ['info registers -a', /^CPU#0\nRAX=[\s\S]*\n\nCPU#1\nRAX=/],
    ['info lapic 1', /^dumping local APIC state for CPU 1\n/],
    ['info lapic 7', /^There is no CPU 7: 0 to 1\.$/],
    ['info mtree', /^address-space: memory\n {2}0{16}-f{16} \(prio 0, i\/o\): system\n/],
    ['  info   pic ', /^pic0: irr=00/],
    ['vmcs 1', /GUEST_RIP/],
    ['info status', /^VM status: running, tick 0$/],
    ['system_wakeup', /^Unable to wake up: guest is not in suspended state$/],
    ['announce_self nobody', /^There is no network card 'nobody' to announce\. There are e1000\.0\.$/],
    ['announce_self announce-rounds=1001', /^announce-rounds is 0 to 1000, not 1001\.$/],
    ['announce_self a b c', /^announce_self \[CARDS\] \[ID\]: cards have commas between\.$/],
    ['announce_self rounds=3', /^'rounds=3' is none of announce-rounds=N/],
    ['calc_dirty_rate -b 0', /^Incorrect period length specified!$/],
    ['calc_dirty_rate -b 61', /^Error: calc-time is out of range\[1, 60\]\.$/],
    ['calc_dirty_rate -r 1', /^Error: mode dirty-ring is not enabled, use other method instead\.$/],
    ['calc_dirty_rate -b', /^calc_dirty_rate -b SECONDS: say how many seconds\.$/],
    ['calc_dirty_rate 1', /^Pages are not sampled here: `calc_dirty_rate -b SECONDS`/],
    ['dirty', /^Nobody has asked which pages are written/],
    ['dirty x', /^x is not a count from 1 to 4096\.$/],
    ['frobnicate', /^Unknown command 'frobnicate'\. `help` lists them\.$/],
    ['x', /^Say what to look at/],
    ['', /^$/],
  ])('%s', (line, text) => expect(answerMonitor(subject, line).text).toMatch(text));

  test('says that the guest is stopped', () => {
    subject.setStopped(true);
    expect(answerMonitor(subject, 'info status').text).toBe('VM status: paused, tick 0');
  });

  test('stop, cont and quit say what happens to the run', () => {
    expect(['stop', 'c', 'q'].map((line) => answerMonitor(subject, line).then)).toEqual(['stop', 'cont', 'quit']);
  });

  test('buttons are inputs', () => {
    const lines = ['nmi', 'system_reset', 'system_powerdown'];
    expect(lines.map((line) => answerMonitor(subject, line).send?.kind)).toEqual([
      'sim:nmi_requested',
      'sim:reset_requested',
      'sim:power_button_pressed',
    ]);
  });

  test('announcements are inputs', () => {
    const usual = { kind: 'sim:announce_asked', interfaces: '', id: '', initial: 50, max: 550, rounds: 5, step: 100 };
    expect(answerMonitor(subject, 'announce_self').send).toEqual(usual);
    expect(answerMonitor(subject, 'announce_self e1000.0 a announce-rounds=2').send).toEqual({
      ...usual,
      ...{ interfaces: 'e1000.0', id: 'a', rounds: 2 },
    });
  });

  test('a measurement is an input', () =>
    expect(answerMonitor(subject, 'calc_dirty_rate -b 60').send).toEqual({
      kind: 'sim:dirty_rate_asked',
      seconds: 60,
    }));

  test('help names every command', () => expect(answerMonitor(subject, 'help').text).toContain('mtree'));
});
