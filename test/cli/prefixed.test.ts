import { expect, test } from 'vitest';
import { Prefixed } from '../../src/cli/prefixed.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** What is on a console of two, line by line, once it has printed what it is told. */
function consoleOf(tell: (printed: Prefixed) => void): string[] {
  let out = '';
  const printed = new Prefixed(['al', 'robert'], (some) => {
    out += Buffer.from(some).toString();
  });
  tell(printed);
  printed.endLine();
  printed.endLine();
  return out.replaceAll('\r', '').split('\n');
}

test('every line on a console of several has the name of who says it, and is one line', () => {
  const lines = consoleOf((printed) => {
    printed.print('al', bytes('one\r\ntwo\nthr'));
    printed.print('robert', bytes('\r\nlog'));
    printed.print('al', bytes('ee'));
    printed.print('robert', bytes('in: '));
    printed.print('al', bytes(' more\n'));
    printed.print('robert', bytes('x'));
  });
  expect(lines).toEqual(['al     | one', 'al     | two', 'robert | ', 'al     | three more', 'robert | login: x', '']);
});

test('a line that does not end is shown after a while, and what its machine says goes on there', () => {
  const lines = consoleOf((printed) => {
    printed.print('robert', bytes('login: '));
    printed.showOld();
    printed.print('al', bytes('one\n'));
    printed.showOld();
    printed.print('robert', bytes('ro'));
    printed.print('al', bytes('two\nthr'));
    printed.print('robert', bytes('ot\n'));
  });
  expect(lines).toEqual(['al     | one', 'robert | login: ro', 'al     | two', 'robert | ot', 'al     | thr', '']);
});

test('a line without an end is held back no longer than there is room for it', () => {
  const lines = consoleOf((printed) => {
    printed.print('al', bytes('x'.repeat(5000)));
    printed.print('robert', bytes('y\n'));
  });
  expect(lines).toEqual([`al     | ${'x'.repeat(5000)}`, 'robert | y', '']);
});
